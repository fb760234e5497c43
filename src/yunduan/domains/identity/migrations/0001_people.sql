-- `phone` and `email` are keyed hashes, `sealed` holds both and the nickname under the person's key.
CREATE TABLE person (id TEXT NOT NULL PRIMARY KEY, phone BLOB, email BLOB, sealed BLOB NOT NULL, language TEXT NOT NULL, at INTEGER NOT NULL, erased_at INTEGER NOT NULL);
CREATE TABLE contact (hash BLOB NOT NULL, person_id TEXT NOT NULL, PRIMARY KEY (hash)) CLUSTERED;
-- Which devices have signed in with a contact: keyed hashes, kept for as long as the contact is somebody's.
CREATE TABLE known_device (contact BLOB NOT NULL, device BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (contact, device)) CLUSTERED;
-- `contact`, `code` and `device` are keyed hashes under different secrets. `person_id` is empty for a sign-in. `sealed` is under the key of its day.
CREATE TABLE challenge (id TEXT NOT NULL PRIMARY KEY, contact BLOB NOT NULL, kind TEXT NOT NULL, sealed BLOB NOT NULL, code BLOB NOT NULL, person_id TEXT NOT NULL, language TEXT NOT NULL, at INTEGER NOT NULL, device BLOB NOT NULL, tries INTEGER NOT NULL, used INTEGER NOT NULL);
CREATE TABLE letter (id TEXT NOT NULL PRIMARY KEY, sealed BLOB NOT NULL, language TEXT NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL, next_at INTEGER NOT NULL);
CREATE INDEX letter_by_next ON letter (state, next_at, id);
-- How many codes a contact, a device or an origin has had: `bucket` is a keyed hash, and none that stands in another table.
CREATE TABLE budget (bucket BLOB NOT NULL, windows BLOB NOT NULL, PRIMARY KEY (bucket)) CLUSTERED;
CREATE TABLE letter_day (day INTEGER NOT NULL PRIMARY KEY, at INTEGER NOT NULL);
CREATE TABLE session (token_hash BLOB NOT NULL, id TEXT NOT NULL, person_id TEXT NOT NULL, device BLOB NOT NULL, at INTEGER NOT NULL, seen_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, PRIMARY KEY (token_hash)) CLUSTERED;
CREATE INDEX session_by_person ON session (person_id);
-- An empty shop means the marketplace.
CREATE TABLE staff (person_id TEXT NOT NULL, shop_id TEXT NOT NULL, role TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (person_id, shop_id, role)) CLUSTERED;
CREATE INDEX staff_by_shop ON staff (shop_id, role, person_id);
-- `region` is a code of the country's list, or empty where there is none: then it is under the seal alone.
CREATE TABLE address (id TEXT NOT NULL PRIMARY KEY, person_id TEXT NOT NULL, country TEXT NOT NULL, region TEXT NOT NULL, sealed BLOB NOT NULL, is_default INTEGER NOT NULL, at INTEGER NOT NULL);
CREATE INDEX address_by_person ON address (person_id);
