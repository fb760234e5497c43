# A market for the pages of tasks: an operator, a shop that sells cups at 49.00 and sends them for 8.00, a buyer with 500.00 in the wallet.
source docs/tasks/words.sh

operator_id=$(yunduan person register +8613800000001)
yunduan person grant "$operator_id" admin >/dev/null
OPERATOR=$(sign_in +8613800000001)
owner_id=$(yunduan person register +8613800000002)
category=$(call "$OPERATOR" POST /categories '{"name": "茶具", "name_en": "Tea ware"}' | pick id)
shop=$(call "$OPERATOR" POST /shops "{\"owner_id\": \"$owner_id\", \"name\": \"瓷器\", \"name_en\": \"Porcelain\", \"country\": \"CN\",
  \"region\": \"江西\", \"currency\": \"CNY\", \"commission_ppm\": 20000}" | pick id)
OWNER=$(sign_in +8613800000002)
location=$(call "$OWNER" GET "/shops/$shop/settings" | pick shop.location_ids.0)
template=$(call "$OWNER" GET "/shops/$shop/settings" | pick shop.template_id)
call "$OWNER" POST "/shops/$shop/shipping-templates" "{\"id\": \"$template\", \"name\": \"国内\", \"measure\": \"piece\",
  \"zones\": [{\"places\": [{\"country\": \"CN\"}], \"rate\": {\"first_units\": 10, \"first_fee\": 800}}]}" >/dev/null
cup=$(call "$OWNER" POST "/shops/$shop/goods" "{\"publish\": true, \"form\": {\"title\": \"茶杯\", \"title_en\": \"Cup\",
  \"category_id\": \"$category\", \"variants\": [{\"sku\": \"CUP\", \"price\": $(cny 4900), \"weight_g\": 200}]}}" | pick variant_ids.0)
call "$OWNER" PUT "/shops/$shop/variants/$cup/stock/$location" '{"on_hand": 100, "reason": "counted"}' >/dev/null

BUYER=$(sign_in +8613800000003)
address=$(call "$BUYER" POST /me/addresses '{"address": {"recipient": "王芳", "phone": "+8613800000003", "country": "CN",
  "region": "浙江", "city": "杭州市", "district": "西湖区", "lines": ["文三路 1 号"]}}' | pick id)

state_of_payment() { call "$1" GET "/payments/$2" | pick state; }
top_up() { # top_up TOKEN AMOUNT: money into a wallet, over the sandbox; curl presses the payer's button
  local started
  started=$(call "$1" POST /payments/top-ups "{\"amount\": $(cny "$2"), \"channel\": \"sandbox\"}")
  curl -sS --output /dev/null --data decision=approve "$(pick redirects.0.url <<<"$started")"
  until_it_is captured state_of_payment "$1" "$(pick id <<<"$started")"
}
top_up "$BUYER" 50000

buy() { # buy QUANTITY [NOTE]: an order of so many cups, paid from the wallet
  local total
  call "$BUYER" POST /cart/lines "{\"variant_id\": \"$cup\", \"quantity\": $1}" >/dev/null
  total=$(call "$BUYER" GET "/checkouts/preview?address_id=$address" | pick total.amount)
  call "$BUYER" POST /checkouts "{\"address_id\": \"$address\", \"total\": $(cny "$total"), \"note\": \"${2:-}\",
    \"tenders\": [{\"kind\": \"wallet\", \"amount\": $(cny "$total")}]}" | pick orders.0.id
}
ship() { # ship ORDER NUMBER: all of it, by this tracking number
  call "$OWNER" POST "/shops/$shop/orders/$1/shipment" "{\"carrier\": \"SF Express\", \"tracking\": \"$2\"}" >/dev/null
}
