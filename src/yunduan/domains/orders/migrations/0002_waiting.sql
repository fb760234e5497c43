-- One row a buyer who has ever had to pay later: the checkouts that wait for their payment and hold stock meanwhile.
CREATE TABLE order_waiting (
    buyer TEXT NOT NULL,
    checkouts BLOB NOT NULL,
    PRIMARY KEY (buyer)
) CLUSTERED;
