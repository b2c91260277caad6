import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Client programs, compiled for this run of the tests into a folder that other users may read. */
export interface Programs extends Disposable {
  readonly folder: string
  /** Path of the program, or why there is none. */
  readonly dynamic: string | Missing
  readonly static: string | Missing
  readonly go: string | Missing
}

type ProgramName = 'dynamic' | 'static' | 'go'

export interface Missing {
  readonly missing: string
}

export const HOST_SCRIPT = fileURLToPath(new URL('host.ts', import.meta.url))
const SOURCE = fileURLToPath(new URL('client.c', import.meta.url))

const GO_SOURCE = `package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

type argument struct {
	version                     uint64
	request, response, exitInfo uintptr
}

type sevArgument struct {
	requestType, responseType, version, pad0 uint8
	requestSize, pad1                        uint16
	request                                  uintptr
	responseSize                             uint16
	pad2                                     [3]uint16
	response                                 uintptr
	firmware, pad3                           uint32
}

// The report on 64 zeros, in hex, by whichever device this is.
func report(device *os.File) {
	request, response := make([]byte, 96), make([]byte, 4000)
	in, out := uintptr(unsafe.Pointer(&request[0])), uintptr(unsafe.Pointer(&response[0]))
	a := argument{1, in, out, 0}
	number, pointer := uintptr(0xC0205300), unsafe.Pointer(&a)
	if device.Name() == "/dev/sev" {
		number = 0xC0285301
		pointer = unsafe.Pointer(&sevArgument{requestType: 5, responseType: 6, version: 1, requestSize: 96, request: in,
			responseSize: 1280, response: out})
	}
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, device.Fd(), number, uintptr(pointer)); e != 0 {
		fmt.Println(e)
		os.Exit(1)
	}
	fmt.Println(hex.EncodeToString(response[0x20:0x20+1184]))
}

func main() {
	path := "/dev/sev-guest"
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	device, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if len(os.Args) > 1 {
		report(device)
		return
	}
	var group sync.WaitGroup
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for n := 0; n < 50; n++ {
				request, response := make([]byte, 96), make([]byte, 4000)
				request[0] = byte(n)
				a := argument{1, uintptr(unsafe.Pointer(&request[0])), uintptr(unsafe.Pointer(&response[0])), 0}
				_, _, e := syscall.Syscall(syscall.SYS_IOCTL, device.Fd(), 0xC0205300, uintptr(unsafe.Pointer(&a)))
				if e != 0 || response[0x20+0x50] != byte(n) {
					fmt.Println("wrong", e)
				}
			}
		}()
	}
	group.Wait()
	fmt.Println("done")
}
`

export async function buildPrograms(...wanted: readonly ProgramName[]): Promise<Programs> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-test-run-'))
  chmodSync(folder, 0o755)
  const goSource = join(folder, 'client.go')
  writeFileSync(goSource, GO_SOURCE)
  const goEnv = { ...process.env, GO111MODULE: 'off', GOTOOLCHAIN: 'local', CGO_ENABLED: '0' }
  const c = (name: string, ...flags: string[]) =>
    build(join(folder, name), 'cc', ['-O1', '-w', '-pthread', ...flags, SOURCE, '-o', join(folder, name)])
  const makers: Record<ProgramName, () => Promise<string | Missing>> = {
    dynamic: () => c('dynamic'),
    static: () => c('static', '-static'),
    go: () => build(join(folder, 'go-client'), 'go', ['build', '-o', join(folder, 'go-client'), goSource], goEnv),
  }
  const make = async (name: ProgramName) =>
    wanted.includes(name) ? makers[name]() : { missing: `${name}: not asked for` }
  const [dynamic, statically, go] = await Promise.all([make('dynamic'), make('static'), make('go')])
  return {
    folder,
    dynamic,
    static: statically,
    go,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

function build(to: string, compiler: string, words: string[], env = process.env): Promise<string | Missing> {
  return new Promise((resolve) => {
    execFile(compiler, words, { env }, (error) => {
      resolve(error === null ? to : { missing: `${compiler} made no client: ${error.message}` })
    })
  })
}

/** Processes that run a program of this folder, whoever their parent is. */
export function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        return readlinkSync(`/proc/${name}/exe`).startsWith(`${folder}/`)
      } catch {
        return false
      }
    })
    .map(Number)
}

/** Whether another user may enter every folder above this path. */
export function reachableByOthers(path: string): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false
    if (folder === dirname(folder)) return true
  }
}
