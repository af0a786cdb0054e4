import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ProofBooks } from './proof-books.ts'

/** One producer of six messages; 0, 2 and 4 have the same key. */
const books = (): ProofBooks => new ProofBooks({ producers: 1, each: 6, keyEvery: 2, keys: 1 })

function deliver(proof: ProofBooks, message: number, position = message + 1): void {
  proof.delivered(message, position)
  proof.acking(message)
  proof.ackAccepted(message)
}

describe('the books of a proof', () => {
  it('are content with what is sent, delivered and acked once', () => {
    const proof = books()
    for (let message = 0; message < 6; message++) proof.acknowledged(message, message + 1)
    for (let message = 0; message < 6; message++) deliver(proof, message)
    proof.drained()
    assert.equal(proof.isBroken, false)
    assert.deepEqual([proof.sent, proof.acked], [6, 6])
  })

  it('allow a redelivery before an ack, and count it', () => {
    const proof = books()
    proof.acknowledged(1, 2)
    proof.delivered(1, 2)
    proof.refused()
    deliver(proof, 1)
    proof.drained()
    assert.deepEqual([proof.isBroken, proof.findings.redelivered, proof.findings.late], [false, 1, 1])
  })

  it('find what is lost, where all was taken', () => {
    const proof = books()
    proof.acknowledged(3, 4)
    assert.equal(proof.isBroken, false)
    proof.drained()
    assert.equal(proof.findings.lost, 1)
  })

  it('find what nobody sent', () => {
    const proof = books()
    proof.delivered(6, 1)
    proof.delivered(0.5, 1)
    assert.equal(proof.findings.unexpected, 2)
  })

  it('find a message that is there twice', () => {
    const proof = books()
    proof.acknowledged(1, 2)
    proof.delivered(1, 3)
    assert.equal(proof.findings.enqueuedTwice, 1)
  })

  it('find an ack that is accepted after another', () => {
    const proof = books()
    deliver(proof, 1)
    deliver(proof, 1)
    assert.equal(proof.findings.assignedAfterAck, 1)
  })

  it('find one that overtakes another of its key, and none of another', () => {
    const proof = books()
    proof.delivered(0, 1)
    proof.delivered(1, 2)
    assert.equal(proof.isBroken, false)
    proof.delivered(2, 3)
    assert.equal(proof.findings.overtaken, 1)
  })
})
