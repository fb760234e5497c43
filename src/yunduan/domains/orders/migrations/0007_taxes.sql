-- What operators have said is taxed in a country, or (with a region) in a part of it: one document a place.
CREATE TABLE tax_table (country TEXT NOT NULL, region TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (country, region)) CLUSTERED;
