export type { PeerEvents, TransportMetrics } from './peer-events.ts'
export { defaultPeerWindow, PortTransport } from './port-transport.ts'
