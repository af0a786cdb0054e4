import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { runCli } from './run-cli.ts'

/** Runs `troupe ca` in a directory that is gone afterwards. */
async function withAuthority(
  run: (directory: string, ca: (...args: string[]) => Promise<[code: number, said: string]>) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'troupe-ca-test-'))
  try {
    await run(directory, async (...args) => {
      let said = ''
      const stream = {
        write: (text: string) => {
          said += text
        },
      }
      const { signal } = new AbortController()
      const code = await runCli(['ca', ...args], { stdout: stream, stderr: stream, env: {}, signal })
      return [code, said]
    })
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const read = (directory: string, name: string): X509Certificate =>
  new X509Certificate(readFileSync(join(directory, name)))

describe('troupe ca', () => {
  it('makes an authority and certificates for names, with keys for their owner alone', () =>
    withAuthority(async (directory, ca) => {
      const place = join(directory, 'tls')
      const [code] = await ca(place, '--nodes', 'n1,n2', '--clients', 'app', '--operators', 'admin')
      assert.equal(code, 0)
      const names = ['admin', 'app', 'ca', 'n1', 'n2']
      assert.deepEqual(
        readdirSync(place),
        names.flatMap((name) => [`${name}.key`, `${name}.pem`]),
      )
      const root = read(place, 'ca.pem')
      for (const name of names) {
        assert.equal(statSync(join(place, `${name}.key`)).mode & 0o777, 0o600)
        const certificate = read(place, `${name}.pem`)
        if (name === 'ca') continue
        assert.ok(certificate.checkIssued(root))
        assert.match(certificate.subject, new RegExp(`^CN=${name}$`, 'm'))
      }
    }))

  it('issues further ones by the authority that is there, and overwrites nothing', () =>
    withAuthority(async (directory, ca) => {
      assert.equal((await ca(directory, '--nodes', 'n1'))[0], 0)
      const before = readFileSync(join(directory, 'n1.pem'), 'utf8')
      const [code, said] = await ca(directory, '--nodes', 'n2,n1')
      assert.equal(code, 64)
      assert.match(said, /it has n1\.pem: nothing is overwritten/)
      assert.deepEqual(
        readdirSync(directory).filter((name) => name.startsWith('n2')),
        [],
      )
      assert.equal(readFileSync(join(directory, 'n1.pem'), 'utf8'), before)
      assert.equal((await ca(directory, '--nodes', 'n2', '--days', '7'))[0], 0)
      assert.ok(read(directory, 'n2.pem').checkIssued(read(directory, 'ca.pem')))
      rmSync(join(directory, 'ca.key'))
      assert.match((await ca(directory, '--nodes', 'n3'))[1], /it has ca\.pem alone/)
    }))

  it('refuses names that are none, and names given twice', () =>
    withAuthority(async (directory, ca) => {
      assert.match((await ca(directory, '--nodes', 'n1,../n2'))[1], /--nodes is "\.\.\/n2"; expected names/)
      assert.match((await ca(directory, '--nodes', 'ca'))[1], /another name than that of the authority/)
      assert.match((await ca(directory, '--nodes', 'n1', '--clients', 'n1'))[1], /each name once/)
      assert.match((await ca())[1], /DIR/)
      assert.deepEqual(readdirSync(directory), [])
    }))
})
