-- Only ever added to: its pages are filled.
ALTER TABLE fact APPENDED;
