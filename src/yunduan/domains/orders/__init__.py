"""Carts, checkouts and orders, from what a person wants to what has arrived and was reviewed.

Owns: the *cart* (what a person wants), the *checkout* (one agreement on a total, over one shop or several), the *order* (what one
shop owes one buyer, with its lines and charges frozen), the *review*. Does not know how money moves or how stock is kept: it asks
payments and catalog, and tells everybody else by facts.
"""
