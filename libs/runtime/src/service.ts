import type { IncomingMessage } from 'node:http';
import {
  Catch,
  HttpException,
  type ArgumentsHost,
  type DynamicModule,
  type ExceptionFilter,
  type LoggerService,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { isFinalSqlState, isSqlState } from '@partyline/domain/sql-state';
import { VerdictError } from '@partyline/domain/verdict';
import { clientAddressOf } from './client-address.ts';
import { createClientErrorHandler, malformedRequest } from './client-error.ts';
import type { Config } from './config.ts';
import { currentRequest, isLoggable, type Logger } from './logging.ts';
import { checkIntervalOf, startManagementServer } from './management.ts';
import type { Metrics } from './metrics.ts';
import { toProblem } from './problem.ts';
import { openRefusalLog, type RefusalLog } from './refusal-log.ts';
import { systemClock, systemIds } from './system.ts';

/** Webhook and API bodies are small. A larger body is rejected. */
export const MAX_BODY_BYTES = 64 * 1024;

/** How much of a rejected body is discarded before its connection is closed. */
const MAX_DISCARDED_BYTES = 8 * 1024 * 1024;

/** Replies can hold keys, PINs and phone numbers. A reply that may be stored says so itself. */
const PRIVATE_REPLY_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

const REQUEST_ID = 'x-request-id';

/** The form of a request id that a client or a proxy may choose, for example a UUID. */
const REQUEST_ID_PATTERN = /^[\w.:-]{8,64}$/;

/**
 * The id of a request: the client's, if it has the accepted form and the log would not scrub it, or
 * a new one.
 */
function readRequestId({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers[REQUEST_ID];
  return typeof given === 'string' && REQUEST_ID_PATTERN.test(given) && isLoggable(given)
    ? given
    : systemIds.next('req');
}

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

interface ServiceOptions {
  readonly config: Config<'service'>;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly module: Type | DynamicModule;
  /** Options of the RPC server over Redis, for a service that has one. */
  readonly microservice?: MicroserviceOptions;
  /**
   * Removes the keys `__proto__` and `constructor.prototype` from JSON bodies. Default: rejects such
   * a body.
   */
  readonly removesProtoKeys?: boolean;
  /** Readiness checks by name. Each throws when its dependency does not answer. */
  readonly ready: Readonly<Record<string, () => Promise<unknown>>>;
  /** Liveness check. Throws when the service must be restarted. Default: any answer counts. */
  readonly live?: () => void;
  /** Runs before listening, with the application (for documents and routes). */
  readonly prepare?: (app: NestFastifyApplication) => Promise<void> | void;
  /** Stops taking work and finishes the running work. Called before `close`. */
  readonly drain: (withinMs: number) => Promise<void>;
  /** Closes connections. */
  readonly close: () => Promise<void>;
}

export interface RunningService {
  readonly url: string;
  /** Where `/healthz`, `/readyz` and `/metrics` are served. */
  readonly managementUrl: string;
  readonly app: NestFastifyApplication;
  stop(): Promise<void>;
}

/**
 * Starts a service: HTTP with problem+json for every error, and a management port with health
 * (`/healthz`, `/readyz`) and metrics (`/metrics`). On SIGTERM it becomes not ready, drains for at
 * most `DRAIN_SECONDS`, and closes.
 */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const { config, log, metrics } = options;
  const { HEADERS_TIMEOUT_MS, REQUEST_TIMEOUT_MS, SOCKET_TIMEOUT_MS, TRUSTED_PROXIES, HSTS_SECONDS } = config.service;
  const replyHeaders = {
    ...PRIVATE_REPLY_HEADERS,
    ...(HSTS_SECONDS > 0 && { 'strict-transport-security': `max-age=${HSTS_SECONDS}` }),
  };
  const adapter = new FastifyAdapter({
    bodyLimit: MAX_BODY_BYTES,
    ...(options.removesProtoKeys && { onProtoPoisoning: 'remove', onConstructorPoisoning: 'remove' }),
    // They end a request that arrives too slowly, also one whose body is discarded (`discardBody`).
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: SOCKET_TIMEOUT_MS,
    http: {
      headersTimeout: Math.min(HEADERS_TIMEOUT_MS, REQUEST_TIMEOUT_MS),
      requestTimeout: REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: checkIntervalOf(Math.min(HEADERS_TIMEOUT_MS, REQUEST_TIMEOUT_MS)),
      // Node's own reply has no body and no request id; a hook below rejects such a request.
      requireHostHeader: false,
    },
    clientErrorHandler: createClientErrorHandler({
      replyHeaders,
      requestIdHeader: REQUEST_ID,
      nextId: () => systemIds.next('req'),
    }),
    // While the service stops, requests on open connections are still served, before stores close.
    return503OnClosing: false,
    genReqId: readRequestId,
    // From any other peer, the header would let the client choose the address that is rate-limited
    // and audited.
    trustProxy: [...TRUSTED_PROXIES],
    // The filters do not run for a URL that the router cannot parse (a lone percent sign, a segment
    // of more than 100 characters).
    frameworkErrors: (_error: unknown, request: FastifyRequest, reply: FastifyReply) => {
      const problem = toProblem(routeNotFound(), request.id);
      void reply
        .headers({ ...replyHeaders, [REQUEST_ID]: request.id })
        .code(problem.status)
        .type('application/problem+json')
        .send(problem);
    },
  });
  const app = await NestFactory.create<NestFastifyApplication>(options.module, adapter, {
    rawBody: true,
    logger: nestLogger(log),
    abortOnError: false,
  });
  app.useGlobalFilters(
    new ProblemFilter(
      log,
      openRefusalLog(log, () => systemClock.now().getTime()),
    ),
  );
  if (options.microservice) app.connectMicroservice(options.microservice);

  let stopping = false;
  const fastify = adapter.getInstance();
  fastify.addHook(
    'onRequest',
    async (request, reply) => void reply.headers({ ...replyHeaders, [REQUEST_ID]: request.id }),
  );
  // Reading the body leaves the context, so it is entered again after it.
  const enterRequest = (request: FastifyRequest, reply: FastifyReply, done: () => void): void =>
    currentRequest.run({ requestId: request.id, isAnswered: () => reply.raw.writableEnded }, done);
  fastify.addHook('onRequest', enterRequest);
  fastify.addHook('preValidation', enterRequest);
  fastify.addHook('onRequest', async ({ headers, raw }) => {
    if (headers.host === undefined && raw.httpVersion === '1.1') throw malformedRequest();
  });
  // RFC 9110, section 10.1.1: an unknown expectation may be ignored. Node would answer 417, without
  // a body.
  fastify.server.on('checkExpectation', (request, reply) => fastify.routing(request, reply));
  fastify.addHook('onResponse', async (request, reply) =>
    metrics.observeRequest(
      `${request.method} ${request.routeOptions.url ?? 'unknown'}`,
      reply.statusCode,
      reply.elapsedTime / 1000,
    ),
  );
  await options.prepare?.(app);
  if (options.microservice) await app.startAllMicroservices();
  await app.listen(config.service.PORT, config.service.HOST);
  const url = await app.getUrl();
  const management = await startManagementServer({
    host: config.service.HOST,
    port: config.service.MANAGEMENT_PORT,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    metrics,
    ready: reportTransitions(options.ready, log),
    live: options.live ?? (() => undefined),
    isStopping: () => stopping,
  });
  log.info({ url, managementUrl: management.url }, 'listening');

  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info('stopping: no new work is accepted');
    const withinMs = config.service.DRAIN_SECONDS * 1000;
    await within(
      withinMs,
      options.drain(withinMs).then(() => app.close()),
      () => log.warn('some work did not finish in time; other replicas will take it over'),
    );
    await management.close();
    await within(2_000, options.close(), () => log.warn('connections did not close in time'));
    for (const signal of SIGNALS) process.removeListener(signal, onSignal);
    log.info('stopped');
  };
  const onSignal = (): void => {
    void stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'the service did not stop cleanly');
        process.exit(1);
      },
    );
  };
  for (const signal of SIGNALS) process.once(signal, onSignal);
  return { url, managementUrl: management.url, app, stop };

  function within(ms: number, work: Promise<unknown>, onTimeout: () => void): Promise<void> {
    return Promise.race([
      work.then(() => undefined),
      new Promise<void>((resolve) =>
        AbortSignal.timeout(ms).addEventListener('abort', () => {
          onTimeout();
          resolve();
        }),
      ),
    ]);
  }
}

/** Logs why a dependency is not available, once, and when it is again. */
function reportTransitions(checks: ServiceOptions['ready'], log: Logger): ServiceOptions['ready'] {
  const down = new Set<string>();
  const report = async (dependency: string, check: () => Promise<unknown>): Promise<void> => {
    try {
      await check();
    } catch (err) {
      if (!down.has(dependency)) log.warn({ err, dependency }, 'not ready: a dependency is not available');
      down.add(dependency);
      throw err;
    }
    if (down.delete(dependency)) log.info({ dependency }, 'a dependency is available again');
  };
  return Object.fromEntries(Object.entries(checks).map(([name, check]) => [name, () => report(name, check)]));
}

/**
 * Runs a service's `main`. An error is written to standard error, and the process exits with code
 * 1.
 */
export async function runMain(start: () => Promise<unknown>): Promise<void> {
  try {
    await start();
  } catch (error) {
    process.stderr.write(`${describeFatalError(error)}\n`);
    process.exit(1);
  }
}

function describeFatalError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.name === 'ConfigError' ? error.message : (error.stack ?? error.message);
}

/** What a request can have once a guard has read its key. */
interface RequestIdentity {
  readonly tenantId?: string;
  /** The public part of its key, also of a key that was rejected. */
  readonly keyId?: string;
}

/**
 * Converts every error to a problem response. Server errors are logged in full, rejected keys,
 * scopes and webhooks (401 and 403) in one line; other client errors are not logged.
 */
@Catch()
class ProblemFilter implements ExceptionFilter {
  private readonly log: Logger;
  private readonly logRefusal: RefusalLog;
  constructor(log: Logger, logRefusal: RefusalLog) {
    this.log = log;
    this.logRefusal = logRefusal;
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest & RequestIdentity>();
    const known = toVerdict(error);
    const problem = toProblem(known, request.id);
    if (problem.status >= 500)
      this.log.error(
        { err: error, requestId: request.id, reason: problem.reason, tenantId: request.tenantId },
        'a request failed',
      );
    if (problem.status === 401 || problem.status === 403)
      this.logRefusal(clientAddressOf(request), {
        reason: problem.reason,
        detail: problem.detail,
        // The pattern of the route: a path can hold what the client wants to be logged.
        route: `${request.method} ${request.routeOptions.url ?? 'unknown'}`,
        requestId: request.id,
        tenantId: request.tenantId,
        keyId: request.keyId,
      });
    const reply = http.getResponse<FastifyReply>();
    if (known instanceof VerdictError && known.retryAfterMs !== undefined)
      void reply.header('retry-after', Math.ceil(known.retryAfterMs / 1000));
    if (problem.status === 413) {
      // Fastify asks for the connection to be closed. Closing with unread bytes resets it, and the
      // client may then lose this reply.
      void reply.removeHeader('connection');
      discardBody(request.raw);
    }
    void reply.code(problem.status).type('application/problem+json').send(problem);
  }
}

/**
 * Reads the rest of a body and discards it. Destroys the connection after `MAX_DISCARDED_BYTES`;
 * `REQUEST_TIMEOUT_MS` bounds the time.
 */
function discardBody(request: IncomingMessage): void {
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_DISCARDED_BYTES) request.destroy();
  });
  request.on('error', () => undefined);
  request.resume();
}

const routeNotFound = (): VerdictError =>
  new VerdictError('client', 'route-not-found', 'This route does not exist.', {
    fix: 'See the API reference at /docs.',
  });

/** Converts errors of Nest and Fastify to verdicts. */
function toVerdict(error: unknown): unknown {
  if (error instanceof VerdictError) return error;
  const status =
    error instanceof HttpException ? error.getStatus() : (error as { statusCode?: number } | null)?.statusCode;
  switch (status) {
    case 404:
      return routeNotFound();
    case 405:
      return new VerdictError('client', 'method-not-allowed', 'This route does not support this method.', {
        fix: 'See the API reference at /docs.',
      });
    case 413:
      return new VerdictError('client', 'body-too-large', `The body is larger than ${MAX_BODY_BYTES / 1024} kB.`, {
        fix: `Send at most ${MAX_BODY_BYTES / 1024} kB: shorten the longest fields, or send fewer items in each request.`,
      });
    case 415:
      return new VerdictError('client', 'wrong-media-type', 'The body must be JSON.', {
        fix: 'Send content-type: application/json.',
      });
    case 400:
      return new VerdictError('client', 'invalid-body', 'The body is not valid JSON.', {
        field: '',
        fix: 'Check the quotes and commas, and send content-type: application/json.',
      });
    default:
      return isOutage(error) ? temporarilyUnavailable(error) : error;
  }
}

/**
 * 503, not 500: the provider drops the call after a 500 and retries after a 503 (vonage-contract.md
 * section 3). So do clients.
 */
const temporarilyUnavailable = (cause: unknown): VerdictError =>
  new VerdictError('server', 'temporarily-unavailable', 'The service is temporarily unavailable.', {
    fix: 'Try again in a moment.',
    retryAfterMs: 1_000,
    cause,
  });

/**
 * Error codes of the system and of Prisma for a database or Redis that is unavailable, starting,
 * full or overloaded.
 */
const OUTAGE_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'P1001',
  'P1002',
  'P1008',
  'P1017',
  'P2024',
  'P2028',
  'P2034',
  'P2037',
]);
/** Messages of outages that have no code. */
const OUTAGE_MESSAGES = [
  'Connection terminated',
  'timeout exceeded when trying to connect',
  'Query read timeout',
  'Client has encountered a connection error',
  'Client was closed',
];
const isOutage = (error: unknown): boolean =>
  error instanceof AggregateError
    ? error.errors.some(isOutage)
    : error instanceof Error &&
      (readErrorCodes(error).some(
        (code) => OUTAGE_CODES.has(String(code)) || (isSqlState(code) && !isFinalSqlState(code)),
      ) ||
        OUTAGE_MESSAGES.some((text) => error.message.startsWith(text)));

/** Prisma wraps the code of Postgres in its own (P2010, P2039) and keeps the original in `meta`. */
function readErrorCodes(error: Error): unknown[] {
  const { code, meta } = error as {
    code?: unknown;
    meta?: { driverAdapterError?: { cause?: { originalCode?: unknown } } };
  };
  return [code, meta?.driverAdapterError?.cause?.originalCode];
}

const nestLogger = (log: Logger): LoggerService => ({
  log: (message: unknown, context?: string) => log.debug({ context }, String(message)),
  warn: (message: unknown, context?: string) => log.warn({ context }, String(message)),
  error: (message: unknown, stack?: string) => log.error({ stack }, String(message)),
});
