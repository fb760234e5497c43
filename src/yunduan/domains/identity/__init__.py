"""People: how they are reached, how they sign in, what they may do, where parcels go. It knows shops and orders only as opaque ids.

Its words: a *person* is somebody; a *contact* is a phone number or an e-mail address; a *challenge* is a code that was sent to a
contact and waits for an answer; a *session* is one device that is signed in; a *letter* is a message on its way to a contact.
Nothing personal is stored in clear: it is sealed under a key of the person's own and found by keyed hash, so that destroying the
key erases the person everywhere, backups included.
"""
