-- What is asked of the goods of a category, and of all below it.
CREATE TABLE category_attributes (
    category_id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (category_id)
) CLUSTERED;

-- What goods that lists show tell of themselves, as lists are filtered by it.
CREATE TABLE card_attribute (
    goods_id TEXT NOT NULL,
    attribute TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (goods_id, attribute)
) CLUSTERED;
