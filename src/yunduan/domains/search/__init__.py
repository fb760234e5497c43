"""Search: what shops put on sale is found by any word that a person would type, and what was bought by those whose order it is.

It owns indexes beside the store, made of what the catalog says of goods and of orders, and what operators have set for it.
Its words: a *document* is goods as the index knows them; a *term* is a word that they are called by; a *reading* is how Chinese is said, in
pinyin; a *slot* is one word of what was asked with all that may be meant by it; a *facet* counts what was found; a *title* is what one
shop calls one thing that was bought of it. Of persons it knows whose an order is, by their ids.
"""
