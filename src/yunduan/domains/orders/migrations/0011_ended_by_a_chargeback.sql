-- Orders that a lost chargeback had ended were left among the open ones of their shops: each is filed by the state that it is in.
INSERT INTO order_of_shop (shop_id, state, order_id) SELECT shop_id, state, id FROM orders WHERE state = 'refunded' AND id IN (SELECT order_id FROM order_of_shop) ON CONFLICT DO NOTHING;
DELETE FROM order_of_shop WHERE state IN ('placed', 'paid', 'partly_shipped', 'shipped', 'received', 'cancelled') AND order_id IN (SELECT id FROM orders WHERE state = 'refunded');
