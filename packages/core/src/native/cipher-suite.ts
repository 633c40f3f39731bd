/** What `tls.TLSSocket.getCipher()` says of a cipher suite. */
export interface CipherSuite {
  /** OpenSSL's name, `ECDHE-RSA-AES256-GCM-SHA384`. */
  readonly name: string
  /** IANA's name, `TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384`; Windows has the same. */
  readonly standardName: string
  /** The oldest version of TLS that has it. */
  readonly version: string
}

/** @param standardName - empty where Windows does not tell */
export function cipherSuiteOf(standardName: string): CipherSuite {
  if (!standardName.includes('_WITH_')) {
    return { name: standardName, standardName, version: standardName === '' ? '' : 'TLSv1.3' }
  }
  const match = /^TLS_(\w+)_WITH_AES_(128|256)_(CBC|GCM)_(SHA\d*)$/.exec(standardName)
  // Neither of OpenSSL's nor worth a rule: the standard's name tells as much.
  if (match === null) return { name: standardName, standardName, version: 'TLSv1.2' }
  const [, exchange, bits, mode, hash] = match
  const parts = [`AES${bits}`, hash]
  if (exchange !== 'RSA') parts.unshift(exchange!.replace('_', '-'))
  if (mode === 'GCM') parts.splice(-1, 0, mode)
  return { name: parts.join('-'), standardName, version: hash === 'SHA' ? 'TLSv1' : 'TLSv1.2' }
}
