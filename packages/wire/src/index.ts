export { codec } from './codec.ts'
export { crc32 } from './crc32.ts'
export * from './handshake.ts'
export * from './peer-frame.ts'
