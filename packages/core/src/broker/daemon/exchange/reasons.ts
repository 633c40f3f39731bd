/**
 * Why the broker answers, ends or refuses something by itself, as `httpsys status` counts it. HTTPERR's names where it has one.
 *
 * @see https://learn.microsoft.com/en-us/troubleshoot/developer/webapps/aspnet/site-behavior-performance/error-logging-http-apis
 */
export const REASONS = [
  'AppOffline',
  'AppShutdown',
  'BadRequest',
  'ConnLimit',
  'Connection_Abandoned_By_AppPool',
  'Connections_Refused',
  'EntityTooLarge',
  'FieldLength',
  'HTTP2_Connection',
  'HTTP2_Flood',
  'HTTP2_Resets',
  'Header',
  'Hostname',
  'Invalid_CR/LF',
  'N/I',
  'No_Certificate',
  'NotFound',
  'Number',
  'Peer_Violation',
  'Peers_Refused',
  'QueueFull',
  'RequestLength',
  'TLS_Handshake',
  'Timer_ConnectionIdle',
  'Timer_EntityBody',
  'Timer_HeaderWait',
  'Timer_MinBytesPerSecond',
  'Timer_ReqQueue',
  'URL',
  'URL_Length',
  'Verb',
  'Version_N/S',
] as const

export type Reason = (typeof REASONS)[number]
