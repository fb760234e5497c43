"""Yunduan (云端): an open mobile-commerce cloud."""
