-- Only ever added to: their pages are filled.
ALTER TABLE transfer APPENDED;
ALTER TABLE resolution APPENDED;
ALTER TABLE milestone APPENDED;
ALTER TABLE block APPENDED;
