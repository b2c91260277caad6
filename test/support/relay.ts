import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/**
 * Stands between a client and a proxy and can hold the answers back: a process whose answers are held has made its effect
 * on the other side and does not know it yet, which is the moment to kill it.
 */
export interface Relay extends AsyncDisposable {
  /** The proxy's URL, by way of the relay. */
  readonly url: string
  /**
   * Asks before each piece of an answer whether to hold it; when so, nothing goes through any more. Resolves then.
   * Connections that are held stay so until they are closed; those opened after `letThrough` are free.
   */
  holdWhen(condition: () => boolean | Promise<boolean>): Promise<void>
  letThrough(): void
}

interface Hold {
  readonly condition: () => boolean | Promise<boolean>
  readonly reached: () => void
  held: boolean
}

export async function startRelay(proxyUrl: string): Promise<Relay> {
  const target = new URL(proxyUrl)
  const sockets = new Set<Socket>()
  let hold: Hold | undefined

  /** Whether a piece of an answer that is there now must be held. */
  const isHeld = async (current: Hold): Promise<boolean> => {
    if (!current.held && (await current.condition())) {
      current.held = true
      current.reached()
    }
    return current.held
  }

  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname)
    // Pieces go through in their order, however long the question about one of them takes.
    let turn: Promise<unknown> = Promise.resolve()
    let dead = false
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    client.pipe(upstream)
    upstream.on('data', (piece) => {
      const current = hold
      turn = turn.then(async () => {
        dead ||= current !== undefined && (await isHeld(current))
        if (!dead) client.write(piece)
      })
    })
    upstream.on('end', () => void turn.then(() => dead || client.end()))
    client.on('close', () => upstream.destroy())
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const url = new URL(proxyUrl)
  url.port = String((server.address() as AddressInfo).port)

  return {
    url: url.href,
    holdWhen: (condition) =>
      new Promise((reached) => {
        hold = { condition, reached, held: false }
      }),
    letThrough: () => {
      hold = undefined
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
}
