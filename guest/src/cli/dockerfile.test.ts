import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DockerfileParser } from 'dockerfile-ast'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const text = readFileSync(join(root, 'guest/Dockerfile'), 'utf8')
const file = DockerfileParser.parse(text)
const instructions = file.getInstructions()
const of = (keyword: string) => instructions.filter((one) => one.getKeyword() === keyword)
const stages = file.getFROMs()
const last = stages.at(-1)!
const inLast = (keyword: string) => of(keyword).filter((one) => one.getRange().start.line > last.getRange().start.line)
const words = (keyword: string) => inLast(keyword).map((one) => one.getArgumentsContent() ?? '')

const copies = file.getCOPYs().map((copy) => ({
  line: copy.getRange().start.line,
  flags: Object.fromEntries(copy.getFlags().map((flag) => [flag.getName(), flag.getValue()])),
  sources: copy.getArguments().map(String).slice(0, -1),
}))

describe('the image', () => {
  it('is made in stages, and its last one compiles and installs nothing', () => {
    expect(stages.length).toBeGreaterThan(1)
    expect(stages.slice(0, -1).map((stage) => stage.getBuildStage())).toEqual(['build'])
    expect(words('RUN')).toEqual([])
  })

  it('stands on an exact version, which can be pinned by digest', () => {
    for (const stage of stages) {
      expect(stage.getImage()).toMatch(/^node:\$\{NODE_VERSION\}-bookworm(-slim)?\$\{(BUILD|RUNTIME)_DIGEST\}$/)
    }
    const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      devDependencies: { node: string }
    }
    const [version] = file.getInitialARGs().map((arg) => arg.getProperty())
    expect(version?.getValue()?.split('.')[0]).toBe(devDependencies.node.replace(/^\D*/, '').split('.')[0])
    expect(version?.getValue()).toMatch(/^\d+\.\d+\.\d+$/)
  })

  it('does not run as root, and says so by number', () => {
    const [user, ...others] = words('USER')
    expect(others).toEqual([])
    expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/)
  })

  it('has files that its user cannot change, and asks for no place to write to', () => {
    const inImage = copies.filter(({ line }) => line > last.getRange().start.line)
    expect(inImage.length).toBeGreaterThan(0)
    for (const { flags } of inImage) expect(flags).toMatchObject({ chown: '0:0' })
    expect(words('VOLUME')).toEqual([])
  })

  it('takes files from the repository and from its own stages only', () => {
    expect(of('ADD')).toEqual([])
    const names = stages.map((stage) => stage.getBuildStage())
    for (const { flags, sources } of copies) {
      if (flags.from !== undefined) expect(names).toContain(flags.from)
      else for (const source of sources) expect([source, existsSync(join(root, source))]).toEqual([source, true])
    }
  })

  it('is read by the builder that is there: none is fetched to read it', () => {
    expect(text).not.toMatch(/^#\s*syntax\s*=/im)
  })

  it("installs what the lock file says, and runs nobody else's scripts", () => {
    const installs = of('RUN')
      .map((run) => run.getArgumentsContent() ?? '')
      .filter((run) => run.includes('npm'))
    expect(installs.length).toBeGreaterThan(0)
    for (const run of installs) expect(run).toMatch(/^npm ci --ignore-scripts/)
  })

  it('holds no secret, and opens no port', () => {
    expect(words('EXPOSE')).toEqual([])
    expect([...of('ENV'), ...of('ARG')].map((one) => one.getArgumentsContent()).join(' ')).not.toMatch(
      /token|secret|password|key/i,
    )
  })

  it('starts the sidecar unless it is told otherwise, without a shell', () => {
    expect(words('ENTRYPOINT').map((json) => JSON.parse(json))).toEqual([['node', '/app/guest/bin/skerry-guest.mjs']])
    expect(words('CMD').map((json) => JSON.parse(json))).toEqual([['sidecar']])
  })

  it('is built from nothing but what it names: the rest of the repository is not sent', () => {
    const [first, ...others] = readFileSync(join(root, 'guest/Dockerfile.dockerignore'), 'utf8').trim().split('\n')
    expect(first).toBe('*')
    const sent = others.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
    const sources = copies.filter(({ flags }) => flags.from === undefined).flatMap((copy) => copy.sources)
    for (const source of sources)
      expect(sent.some((path) => source === path || source.startsWith(`${path}/`))).toBe(true)
  })
})
