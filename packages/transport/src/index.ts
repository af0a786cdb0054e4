export {
  defaultPeerWindow,
  PortTransport,
  type PortTransportEvents,
  type TransportMetrics,
} from './port-transport.ts'
