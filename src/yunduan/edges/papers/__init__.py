"""What is printed: waybills and packing slips as PDF, from what a query has answered, with fonts that come with the package.

The same answer makes the same bytes: nothing here looks at a clock. See decision 0033.
"""
