import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { withTemporaryDirectory } from '../../test/temporary-directory.ts'

const filling = fileURLToPath(new URL('../../test/full-disk-process.ts', import.meta.url))

test('a full disk refuses whole writes, keeps them in order, and takes them once there is room', (t) =>
  withTemporaryDirectory((path) => {
    if (spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', path]).status !== 0) {
      return t.skip('no file system may be mounted here')
    }
    const script = 'mount -t tmpfs -o size=8m none "$1" && exec "$2" "$3" "$1"'
    const args = ['-m', 'sh', '-c', script, 'sh', path, process.execPath, filling]
    const { status, stdout, stderr } = spawnSync('unshare', args, { encoding: 'utf8', timeout: 60_000 })
    assert.equal(status, 0, stderr)
    assert.match(stdout, /^OK /)
    t.diagnostic(stdout.trim())
  }))
