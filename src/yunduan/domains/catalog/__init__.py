"""Shops, the category tree, goods with their variants, stock with holds, and what shipping costs.

It owns the words shop, category, goods (a thing for sale with its texts and pictures), variant (what is counted and bought:
one choice of every option), location (where stock lies), hold (stock promised to an order, under the order's own id) and
shipping template (运费模板). It does not know carts, orders, payments or who a person is: it keeps a shop owner's opaque id.
"""
