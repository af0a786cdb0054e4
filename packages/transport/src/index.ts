export type { AsideTransport, PeerEvents, TransportMetrics } from './peer-events.ts'
export { defaultPeerWindow, PortTransport } from './port-transport.ts'
export { type Address, formatAddress, isLoopback, parseAddress, resolveHost } from './tcp/address.ts'
export { Backoff, type BackoffOptions, defaultBackoff } from './tcp/backoff.ts'
export { type CredentialEvents, Credentials, type TlsFiles, trustOnly } from './tcp/credentials.ts'
export { type DialEvents, type DialFailure, type DialRequest, dial } from './tcp/dial.ts'
export { FramedSocket, frameBuffers, type ReadWindow, type SocketHandlers } from './tcp/framed-socket.ts'
export { defaultLaneLimits, LANES, type Lane, type LaneLimits } from './tcp/lanes.ts'
export {
  type ConnectionRefusal,
  type ConnectionRefusalCode,
  defaultListenLimits,
  type ListenLimits,
  type ListenOptions,
} from './tcp/listen-options.ts'
export { type ListenerEvents, type ListenerMetrics, TcpListener } from './tcp/tcp-listener.ts'
export { TcpTransport, type TcpTransportMetrics, type TcpTransportOptions } from './tcp/tcp-transport.ts'
export { type IssuedCertificate, TestAuthority, type Validity, validFor } from './tcp/test-authority.ts'
export { nodeTimers, type Timers } from './tcp/timers.ts'
