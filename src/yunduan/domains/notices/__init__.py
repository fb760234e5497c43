"""Notices: what people and shops are told when a step that they wait for has been taken, in their language, by the ways they choose.

Its words: a *notice* tells one person one thing; its *number* is its place among that person's notices, without gaps, from 1 on; a
*way* is how it comes (in the app, by e-mail, by text message); a *letter* is a notice on its way to a contact; *quiet hours* are when
no letter leaves. It hears facts and is asked for nothing by others. Nothing of a person is in its rows: a notice is a kind and ids,
and becomes words when it is read.
"""
