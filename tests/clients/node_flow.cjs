// What a user of the npm package `@tastytrade/api` does, against an emulator: the package is unmodified but for addresses.
//
// node node_flow.cjs FOLDER: node_modules are in FOLDER (`make clients`). Gets the emulator's JSON line on standard input
// and writes one JSON document of what it saw on standard output, which test_node_client.py judges. It
// trades in the second account. The emulator's clock stands; only `step` moves it.
'use strict'

const { readFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const { join, resolve } = require('node:path')
const { pathToFileURL } = require('node:url')

const PATIENCE = 10_000 // milliseconds to wait for a message that must come

const installed = createRequire(join(resolve(process.argv[2]), 'node_modules', 'x.js'))
globalThis.WebSocket ??= installed('ws') // Node 20 has none of its own

// Messages of a stream, and who waits for one of them.
class Inbox {
  constructor () {
    this.messages = []
    this.waiting = null
  }

  add (message) {
    this.messages.push(message)
    this.waiting?.()
  }

  async until (wanted) {
    const late = Date.now() + PATIENCE
    for (let next = 0; ;) {
      for (; next < this.messages.length; next++) {
        if (wanted(this.messages[next])) return this.messages[next]
      }
      if (Date.now() > late) throw new Error(`not among ${this.messages.length} messages: ${wanted}`)
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, PATIENCE)
        this.waiting = () => { clearTimeout(timer); resolve() }
      })
    }
  }
}

async function step (rest, seconds) {
  const body = JSON.stringify({ seconds })
  const headers = { 'Content-Type': 'application/json' }
  const answer = await fetch(`${rest}/emulator/clock/step`, { method: 'POST', headers, body })
  if (!answer.ok) throw new Error(`the clock's step was answered ${answer.status}`)
}

// Status and body of a call that must be refused.
async function refused (call) {
  try {
    await call
  } catch (error) {
    return { status: error.response?.status, error: error.response?.data?.error }
  }
  return null
}

async function pages (client, account) {
  const customers = client.accountsAndCustomersService
  const money = client.balancesAndPositionsService
  return {
    accounts: (await customers.getCustomerAccounts()).map((each) => each.account['account-number']),
    customer: (await customers.getCustomerResource()).id,
    resource: (await customers.getFullCustomerAccountResource(account))['account-number'],
    balances: await money.getAccountBalanceValues(account),
    positions: await money.getPositionsList(account, { underlyingSymbol: ['SPY', 'SPX'] }),
    snapshots: (await money.getBalanceSnapshots(account, { 'time-of-day': 'BOD' })).length,
    status: await client.accountStatusService.getAccountStatus(account),
    margin: await client.marginRequirementsService.getMarginRequirements(account),
    limit: await client.riskParametersService.getPositionLimit(account),
    history: (await client.netLiquidatingValueHistoryService.getNetLiquidatingValueHistory(
      account, { 'time-back': '1d' })).length,
    metrics: (await client.marketMetricsService.getMarketMetrics({ symbols: 'SPY' }))[0],
    found: (await client.symbolSearchService.getSymbolData('SP')).map((each) => each.symbol)
  }
}

// The chains, and a put some 2 % out of the money that is a week or more away.
async function instruments (client, seen) {
  const service = client.instrumentsService
  const chain = await service.getNestedOptionChain('SPY')
  const index = await service.getNestedOptionChain('SPX')
  const future = await service.getNestedFutureOptionChains('ES')
  const compact = await service.getCompactOptionChain('SPY')
  seen.roots = index.map((each) => each['root-symbol'])
  seen.compact = compact.map((each) => each.symbols.length)
  seen.futures = future.futures.map((each) => each.symbol)
  seen.future = (await service.getSingleFuture('ESU4')).symbol
  seen.equities = (await service.getEquityDefinitions({ symbol: ['SPY', 'VIX'] })).map((each) => each.symbol)
  seen.products = (await service.getFuturesProducts()).map((each) => each.code)
  return chain[0].expirations.find((each) => each['days-to-expiration'] >= 7)
}

function put (expiration, price) {
  const below = expiration.strikes.filter((each) => Number(each['strike-price']) < price * 0.98)
  return below.sort((a, b) => b['strike-price'] - a['strike-price'])[0]
}

async function quotes (client, events, symbols, start) {
  const streamer = client.quoteStreamer
  streamer.subscribe(symbols)
  streamer.subscribeCandles('SPY', start, 5, 'm')
  const one = (type, symbol) => events.until((each) => each.eventType === type && each.eventSymbol === symbol)
  const seen = { Trade: { SPY: await one('Trade', 'SPY'), VIX: await one('Trade', 'VIX') }, Quote: {}, Greeks: {} }
  for (const symbol of symbols.filter((each) => each !== 'VIX')) seen.Quote[symbol] = await one('Quote', symbol)
  for (const symbol of symbols.filter((each) => each.startsWith('.'))) seen.Greeks[symbol] = await one('Greeks', symbol)
  seen.Summary = { SPY: await one('Summary', 'SPY') }
  seen.Profile = { SPY: await one('Profile', 'SPY') }
  await one('Candle', 'SPY{=5m}')
  await events.until((each) => each.eventType === 'Candle' && each.time <= start)
  seen.Candle = events.messages.filter((each) => each.eventType === 'Candle')
  streamer.unsubscribe(['SPY'])
  return seen
}

// Dry run, place, replace by a price that fills; another one cancelled. With what the account stream says.
async function orders (client, account, told, rest, symbol, quote) {
  const service = client.orderService
  const body = (price, action = 'Sell to Open', effect = 'Credit') => ({
    timeInForce: 'Day',
    orderType: 'Limit',
    price,
    'price-effect': effect,
    legs: [{ 'instrument-type': 'Equity Option', symbol, action, quantity: 1 }]
  })
  const status = (id, wanted) => told.until((each) => each.type === 'Order' && each.data.id === id && each.data.status === wanted)
  const far = (quote.askPrice + 1).toFixed(2)
  const seen = { dry: await service.postOrderDryRun(account, body(far)) }
  const placed = seen.placed = await service.createOrder(account, body(far))
  await step(rest, 1)
  seen.resting = (await status(placed.order.id, 'Live')).data
  seen.live = (await service.getLiveOrders(account)).map((each) => [each.id, each.status])
  seen.replaceDry = await service.replacementOrderDryRun(account, placed.order.id, body(quote.bidPrice))
  seen.replacement = await service.replaceOrder(account, placed.order.id, body(quote.bidPrice))
  await step(rest, 1)
  seen.old = (await status(placed.order.id, 'Cancelled')).data
  seen.filled = (await status(seen.replacement.id, 'Filled')).data
  seen.position = (await told.until((each) => each.type === 'CurrentPosition')).data
  seen.balance = (await told.until((each) => each.type === 'AccountBalance' && each.data['cash-balance'] !== '100000.0')).data
  seen.positions = await client.balancesAndPositionsService.getPositionsList(account)
  const second = await service.createOrder(account, body(far))
  await step(rest, 1)
  seen.edited = await service.editOrder(account, second.order.id, { price: (quote.askPrice + 2).toFixed(2), 'price-effect': 'Credit' })
  await step(rest, 1)
  seen.cancelling = await service.cancelOrder(account, seen.edited.id)
  await step(rest, 1)
  seen.cancelled = (await status(seen.edited.id, 'Cancelled')).data
  seen.order = await service.getOrder(account, seen.edited.id)
  seen.orders = (await service.getOrders(account, { status: ['Cancelled', 'Filled'], 'per-page': 50 })).map((each) => each.id)
  const debit = body(quote.askPrice, 'Buy to Close', 'Debit')
  const complex = await service.createComplexOrder(account, {
    type: 'OCO',
    orders: [{ 'time-in-force': 'Day', 'order-type': 'Limit', price: '0.05', 'price-effect': 'Debit', legs: debit.legs },
      { 'time-in-force': 'Day', 'order-type': 'Stop', 'stop-trigger': far, legs: debit.legs }]
  })
  seen.complex = complex['complex-order']
  await step(rest, 1)
  seen.uncomplex = await service.cancelComplexOrder(account, seen.complex.id)
  await step(rest, 1)
  const closing = await service.createOrder(account, debit)
  await step(rest, 1)
  await status(closing.order.id, 'Filled')
  seen.transactions = await client.transactionsService.getAccountTransactions(account, { type: 'Trade' })
  seen.fees = await client.transactionsService.getTotalFees(account)
  seen.left = (await client.balancesAndPositionsService.getPositionsList(account)).length
  seen.refused = {
    debit: await refused(service.createOrder(account, body('1.00', 'Sell to Open', 'Debit'))),
    terminal: await refused(service.cancelOrder(account, seen.edited.id)),
    foreign: await refused(service.getLiveOrders('5WT99999')),
    negative: await refused(service.postOrderDryRun(account, body('-1')))
  }
  return seen
}

async function main (line) {
  const { default: Client } = await import(pathToFileURL(installed.resolve('@tastytrade/api')))
  const client = new Client({
    baseUrl: line.rest,
    accountStreamerUrl: line.account_streamer,
    clientSecret: line.client_secret,
    refreshToken: line.refresh_token,
    oauthScopes: ['read', 'trade']
  })
  const account = line.accounts[1]
  const seen = { pages: await pages(client, account), instruments: {} }
  const expiration = await instruments(client, seen.instruments)
  const events = new Inbox()
  client.quoteStreamer.addEventListener((batch) => batch.forEach((each) => events.add(each)))
  await client.quoteStreamer.connect()
  client.quoteStreamer.subscribe(['SPY'], ['Quote'])
  const spy = await events.until((each) => each.eventType === 'Quote' && each.eventSymbol === 'SPY')
  const chosen = put(expiration, spy.bidPrice)
  const option = chosen['put-streamer-symbol']
  const start = spy.bidTime - 20 * 60_000
  seen.chosen = { symbol: chosen.put, streamer: option, start }
  seen.events = await quotes(client, events, ['SPY', 'VIX', '/ESU24:XCME', option], start)
  const told = new Inbox()
  const streamer = client.accountStreamer
  streamer.addMessageObserver((message) => told.add(message))
  await streamer.start()
  seen.connected = await streamer.subscribeToAccounts([account])
  seen.orders = await orders(client, account, told, line.rest, chosen.put, seen.events.Quote[option])
  seen.types = [...new Set(told.messages.map((each) => each.type).filter(Boolean))].sort()
  streamer.stop()
  const wrong = new Client({
    baseUrl: line.rest, accountStreamerUrl: line.account_streamer, clientSecret: 'wrong', refreshToken: 'wrong', oauthScopes: ['read']
  })
  try {
    await wrong.accountsAndCustomersService.getCustomerAccounts()
  } catch (error) {
    seen.wrong = { status: error.response?.status, body: error.response?.data }
  }
  return seen
}

main(JSON.parse(readFileSync(0, 'utf8'))).then((seen) => {
  // Written whole before the end: the quote streamer's connection would keep the program alive.
  process.stdout.write(JSON.stringify(seen), () => process.exit(0))
}, (error) => {
  const { response } = error
  process.stderr.write(`${error.stack ?? error}\n${response ? `${response.status} ${JSON.stringify(response.data)}\n` : ''}`,
    () => process.exit(1))
})
