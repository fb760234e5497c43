-- KIND: checkout | purchase | list | page | search | search_new | suggest. FOLDER holds people.txt (with carts), bare.txt (without; a purchase fills them), shops.txt and queries.txt.
-- START keeps runs apart. STYLE: ours | textbook.
-- Every request is signed in; every command has a key of its own, a UUIDv7 as the API asks for; people and baskets come at random.
local kind, folder, style, n = os.getenv("KIND"), os.getenv("FOLDER"), os.getenv("STYLE"), tonumber(os.getenv("START") or "0")
local people, shops, goods = {}, {}, {}
for line in io.lines(folder .. (kind == "purchase" and "/bare.txt" or "/people.txt")) do
  local person = { baskets = {} }
  for word in line:gmatch("%S+") do
    if not person.token then person.token = word
    elseif not person.address then person.address = word
    else
      local one, two, total = word:match("([^,]+),([^,]+),(%d+)")
      person.baskets[#person.baskets + 1] = { one = one, two = two, total = total }
    end
  end
  people[#people + 1] = person
end
for line in io.lines(folder .. "/shops.txt") do
  local shop
  for word in line:gmatch("%S+") do
    if shop then goods[#goods + 1] = word else shop = word; shops[#shops + 1] = word end
  end
end
-- suggest: the beginnings of what people ask, from the first character on, as somebody types them.
-- search: as people do, the most frequent of so many queries as often as the second and the third together (Zipf's law); search_new: each in turn
local queries, shares, share = {}, {}, 0
local function encoded(text) return (text:gsub("[^%w]", function(byte) return string.format("%%%02X", string.byte(byte)) end)) end
if kind == "search" or kind == "search_new" or kind == "suggest" then
  for line in io.lines(folder .. "/queries.txt") do
    queries[#queries + 1] = kind == "suggest" and line or encoded(line)
    share = share + 1 / #queries
    shares[#shares + 1] = share
  end
end
local function query()
  if kind == "search_new" then return queries[n * 31 % #queries + 1] end
  local drawn, low, high = math.random() * share, 1, #shares
  while low < high do
    local middle = math.floor((low + high) / 2)
    if shares[middle] < drawn then low = middle + 1 else high = middle end
  end
  return queries[low]
end
math.randomseed(n + 7)
-- a million goods are walked through by each collection: seldom, or the driver is what is measured
collectgarbage("collect")
collectgarbage("setpause", 1000)
local ours = style == "ours"
local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } moment; int clock_gettime(int clock, moment *now);")
local moment = ffi.new("moment")
-- a UUIDv7, as the API asks for: milliseconds since 1970, then what is random
local function key()
  ffi.C.clock_gettime(0, moment)
  local ms = tonumber(moment.s) * 1000 + math.floor(tonumber(moment.ns) / 1000000)
  return string.format("%08x-%04x-7%03x-%04x-%06x%06x", math.floor(ms / 65536), ms % 65536, math.random(0, 4095),
    32768 + math.random(0, 16383), math.random(0, 16777215), math.random(0, 16777215))
end
local function headers(person, post)
  local h = { ["Authorization"] = "Bearer " .. person.token }
  if post then
    h["Content-Type"] = "application/json"
    h["Idempotency-Key"] = key()
  end
  return h
end
local function checkout(person, basket)
  if ours then
    return wrk.format("POST", "/v1/checkouts", headers(person, true), string.format(
      '{"address_id":"%s","variant_ids":["%s","%s"],"total":{"amount":%s,"currency":"CNY"},"tenders":[{"kind":"wallet","amount":{"amount":%s,"currency":"CNY"}}]}',
      person.address, basket.one, basket.two, basket.total, basket.total))
  end
  return wrk.format("POST", "/checkout", headers(person, true),
    string.format('{"items":["%s","%s"],"total":%s}', basket.one, basket.two, basket.total))
end
local function add(person, variant, quantity)
  local path = ours and "/v1/cart/lines" or "/cart"
  return wrk.format("POST", path, headers(person, true), string.format('{"variant_id":"%s","quantity":%d}', variant, quantity))
end
request = function()
  n = n + 1
  -- 7919 is prime to the number of people: everybody comes once before anybody comes twice, in no order
  local person = people[n * 7919 % #people + 1]
  if kind == "checkout" then return checkout(person, person.baskets[math.floor(n / #people) % #person.baskets + 1]) end
  if kind == "list" then
    local shop = shops[n * 31 % #shops + 1]
    return wrk.format("GET", ours and "/v1/shops/" .. shop .. "/goods?limit=20" or "/goods?shop_id=" .. shop, headers(person))
  end
  if kind == "suggest" then
    local characters = {}
    for character in query():gmatch("[%z\1-\127\194-\244][\128-\191]*") do characters[#characters + 1] = character end
    local typed = table.concat(characters, "", 1, math.random(1, #characters))
    return wrk.format("GET", "/v1/search/suggestions?q=" .. encoded(typed), headers(person))
  end
  if #queries > 0 then return wrk.format("GET", "/v1/search?q=" .. query(), headers(person)) end
  if kind == "page" then return wrk.format("GET", (ours and "/v1/goods/" or "/goods/") .. goods[n * 31 % #goods + 1], headers(person)) end
  -- purchase: 256 people add one, then two, then look, then buy; a step is far behind the one before it
  local block, step, who = math.floor(n / 1024), math.floor(n / 256) % 4, n % 256
  local place = block * 256 + who
  person = people[place * 7919 % #people + 1]
  local basket = person.baskets[math.floor(place / #people) % #person.baskets + 1]
  if step == 0 then return add(person, basket.one, 1) end
  if step == 1 then return add(person, basket.two, 2) end
  if step == 2 then
    local items = basket.one .. "," .. basket.two
    local path = ours and "/v1/checkouts/preview?variant_ids=" .. items .. "&address_id=" .. person.address or "/preview?items=" .. items
    return wrk.format("GET", path, headers(person))
  end
  return checkout(person, basket)
end
