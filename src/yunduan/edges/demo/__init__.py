"""A market to look at: twelve shops, three hundred goods, five hundred people and sixty days of what happened between them.

What it is made of are files in `market`: shops with their goods, the category tree, what buyers say, who they are. It is made by the
commands that phones and desks send, under a clock of its own that ends at now, and is a function of its seed and that moment.
"""
