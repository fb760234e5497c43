-- What a buyer wants after the sale. Few orders have one; those of an order are found by its id and a number.
CREATE TABLE order_case (
    id TEXT NOT NULL,
    order_id TEXT NOT NULL,
    buyer TEXT NOT NULL,
    shop_id TEXT NOT NULL,
    state TEXT NOT NULL,
    due INTEGER NOT NULL,
    currency TEXT NOT NULL,
    details BLOB NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX order_case_of_shop ON order_case (shop_id, state, id);
CREATE INDEX order_case_in ON order_case (state, id);
CREATE INDEX order_case_of_buyer ON order_case (buyer, state, order_id);

-- What was said in a case, from 0 on, sealed under the key of who said it.
CREATE TABLE case_statement (
    case_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    who TEXT NOT NULL,
    event TEXT NOT NULL,
    speaker TEXT NOT NULL,
    sealed BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (case_id, number)
) CLUSTERED;
