"""Search: what shops put on sale is found by any word that a person would type.

It owns an index beside the store, made of what the catalog says of goods, and what operators have set for it. Its words: a *document* is
goods as the index knows them; a *term* is a word that they are called by; a *reading* is how Chinese is said, in pinyin; a *slot* is one
word of what was asked with all that may be meant by it; a *facet* counts what was found. It knows no person.
"""
