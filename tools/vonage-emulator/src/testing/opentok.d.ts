/** Types for the parts of the `opentok` SDK that the tests use: the SDK has none. */
declare module 'opentok' {
  type Done<T = unknown> = (error: Error | null, value?: T) => void;

  export default class OpenTok {
    constructor(apiKey: string, apiSecret: string, apiUrl?: string);
    createSession(
      options: { mediaMode?: 'routed' | 'relayed'; archiveMode?: 'manual' | 'always' },
      done: Done<{ sessionId: string }>,
    ): void;
    generateToken(
      sessionId: string,
      options?: { role?: string; data?: string; expireTime?: number },
      useT1?: boolean,
    ): string;
    dial(
      sessionId: string,
      token: string,
      uri: string,
      options: object,
      done: Done<{ id: string; connectionId: string; streamId: string }>,
    ): void;
    forceDisconnect(sessionId: string, connectionId: string, done: Done): void;
    playDTMF(sessionId: string, connectionId: string | null, digits: string, done: Done): void;
    signal(sessionId: string, connectionId: string | null, payload: object, done: Done): void;
    forceMuteStream(sessionId: string, streamId: string, done: Done): void;
    forceMuteAll(sessionId: string, options: object, done: Done): void;
    listStreams(sessionId: string, done: Done<{ id: string }[]>): void;
    getStream(sessionId: string, streamId: string, done: Done): void;
    startArchive(sessionId: string, options: object, done: Done<{ id: string; status: string }>): void;
    stopArchive(archiveId: string, done: Done<{ status: string }>): void;
    getArchive(archiveId: string, done: Done<{ streams?: unknown }>): void;
    listArchives(options: object, done: Done<{ id: string; status: string }[]>): void;
    addArchiveStream(archiveId: string, streamId: string, options: object, done: Done): void;
    removeArchiveStream(archiveId: string, streamId: string, done: Done): void;
    registerCallback(options: { group: string; event: string; url: string }, done: Done<{ id: string }>): void;
  }
}
