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
import { VerdictError } from '@partyline/domain/verdict';
import type { Config } from './config.ts';
import { systemIds } from './system.ts';
import type { Logger } from './logging.ts';
import type { Metrics } from './metrics.ts';
import { toProblem } from './problem.ts';

/** Webhooks and API bodies are small; what is larger is refused before it is read. */
const MAX_BODY_BYTES = 64 * 1024;

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

interface ServiceOptions {
  readonly config: Config<'service'>;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly module: Type | DynamicModule;
  /** Questions over Redis, for a service that answers some. */
  readonly microservice?: MicroserviceOptions;
  /** Addresses and networks of those whose `X-Forwarded-For` says where a request came from. Default: nobody's does. */
  readonly trustedProxies?: readonly string[];
  /** What must answer before traffic is let in, by name: each throws when it does not. */
  readonly ready: Readonly<Record<string, () => Promise<unknown>>>;
  /** Is the service making progress? Throws when it is to be restarted. Default: it answers at all. */
  readonly live?: () => void;
  /** Before listening: what needs the application itself (documents, routes). */
  readonly prepare?: (app: NestFastifyApplication) => Promise<void> | void;
  /** Takes no more work and finishes what is in hand; then what it used is closed. In that order. */
  readonly drain: (withinMs: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

export interface RunningService {
  readonly url: string;
  readonly app: NestFastifyApplication;
  stop(): Promise<void>;
}

/**
 * Starts a service: HTTP with health (`/healthz`, `/readyz`), metrics (`/metrics`), problem+json for every error, and an orderly end on
 * SIGTERM: not ready any more, drain, close, at most `DRAIN_SECONDS`.
 */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const { config, log, metrics } = options;
  const adapter = new FastifyAdapter({
    bodyLimit: MAX_BODY_BYTES,
    genReqId: () => systemIds.next('req'),
    // Whoever else sends the header could choose what address is counted and noted.
    trustProxy: [...(options.trustedProxies ?? [])],
    // An address that the router cannot even read (a stray percent sign, a segment of more than 100 characters) gets past every filter.
    frameworkErrors: (_error: unknown, request: FastifyRequest, reply: FastifyReply) => {
      const problem = toProblem(routeNotFound(), request.id);
      void reply.code(problem.status).type('application/problem+json').send(problem);
    },
  });
  const app = await NestFactory.create<NestFastifyApplication>(options.module, adapter, {
    rawBody: true,
    logger: nestLogger(log),
    abortOnError: false,
  });
  app.useGlobalFilters(new ProblemFilter(log));
  if (options.microservice) app.connectMicroservice(options.microservice);

  let stopping = false;
  const fastify = adapter.getInstance();
  fastify.get('/healthz', () => {
    options.live?.();
    return { ok: true };
  });
  fastify.get('/readyz', async (_request, reply) => {
    const checks = await Promise.all(
      Object.entries(options.ready).map(
        async ([what, check]) =>
          [
            what,
            await check().then(
              () => 'up',
              () => 'down',
            ),
          ] as const,
      ),
    );
    const ready = !stopping && checks.every(([, state]) => state === 'up');
    return reply.code(ready ? 200 : 503).send({ ready, stopping, ...Object.fromEntries(checks) });
  });
  fastify.get('/metrics', async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
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
  log.info({ url }, 'listening');

  const stop = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info('stopping: taking no more work');
    const withinMs = config.service.DRAIN_SECONDS * 1000;
    await within(
      withinMs,
      options.drain(withinMs).then(() => app.close()),
      () => log.warn('not everything was finished in time; others will take it over'),
    );
    await within(2_000, options.close(), () => log.warn('connections did not close in time'));
    for (const signal of SIGNALS) process.removeListener(signal, onSignal);
    log.info('stopped');
  };
  const onSignal = (): void => {
    void stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'did not stop cleanly');
        process.exit(1);
      },
    );
  };
  for (const signal of SIGNALS) process.once(signal, onSignal);
  return { url, app, stop };

  function within(ms: number, work: Promise<unknown>, late: () => void): Promise<void> {
    return Promise.race([
      work.then(() => undefined),
      new Promise<void>((resolve) =>
        AbortSignal.timeout(ms).addEventListener('abort', () => {
          late();
          resolve();
        }),
      ),
    ]);
  }
}

/** Runs a service's `main`; what keeps it from starting is said in a sentence, on standard error, with exit code 1. */
export async function runMain(start: () => Promise<unknown>): Promise<void> {
  try {
    await start();
  } catch (error) {
    process.stderr.write(
      `${error instanceof Error ? (error.name === 'ConfigError' ? error.message : (error.stack ?? error.message)) : String(error)}\n`,
    );
    process.exit(1);
  }
}

/** Every error becomes a problem here, once. Ours are logged whole; a client's are the client's to read. */
@Catch()
class ProblemFilter implements ExceptionFilter {
  private readonly log: Logger;
  constructor(log: Logger) {
    this.log = log;
  }

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    // Whose it is, where whoever let it in has found out.
    const request = http.getRequest<FastifyRequest & { readonly tenantId?: string }>();
    const known = toVerdict(error);
    const problem = toProblem(known, request.id);
    if (problem.status >= 500)
      this.log.error(
        { err: error, requestId: request.id, reason: problem.reason, tenantId: request.tenantId },
        'a request failed',
      );
    const reply = http.getResponse<FastifyReply>();
    if (known instanceof VerdictError && known.retryAfterMs !== undefined)
      void reply.header('retry-after', Math.ceil(known.retryAfterMs / 1000));
    void reply.code(problem.status).type('application/problem+json').send(problem);
  }
}

const routeNotFound = (): VerdictError =>
  new VerdictError('client', 'route-not-found', 'There is nothing at this address.', {
    fix: 'See the API reference at /docs.',
  });

/** What Nest and Fastify themselves refuse, as verdicts. */
function toVerdict(error: unknown): unknown {
  if (error instanceof VerdictError) return error;
  const status =
    error instanceof HttpException ? error.getStatus() : (error as { statusCode?: number } | null)?.statusCode;
  switch (status) {
    case 404:
      return routeNotFound();
    case 405:
      return new VerdictError('client', 'method-not-allowed', 'This address does not take this method.');
    case 413:
      return new VerdictError('client', 'body-too-large', `The body is larger than ${MAX_BODY_BYTES / 1024} kB.`);
    case 415:
      return new VerdictError('client', 'wrong-media-type', 'The body must be JSON.', {
        fix: 'Send content-type: application/json.',
      });
    case 400:
      return new VerdictError('client', 'invalid-body', 'The body is not JSON.', {
        field: '',
        fix: 'Check the quotes and commas, and send content-type: application/json.',
      });
    default:
      return isOutage(error) ? temporarilyUnavailable(error) : error;
  }
}

/** Not 500: the carrier gives its call up at that, and asks again at 503 (vonage-contract.md section 3); so do tenants' clients. */
const temporarilyUnavailable = (cause: unknown): VerdictError =>
  new VerdictError('server', 'temporarily-unavailable', 'This cannot be done just now.', {
    fix: 'Try again in a moment.',
    retryAfterMs: 1_000,
    cause,
  });

/**
 * How drivers tell that the database or Redis is away, starting, full, or too busy to answer in time: by the system's code, by the server's (the last four: a statement
 * or a lock that took too long, and those that were in each other's way again and again), by Prisma's, or in words.
 */
const OUTAGE_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  '57P01',
  '57P02',
  '57P03',
  '53300',
  '08000',
  '08001',
  '08003',
  '08006',
  '57014',
  '55P03',
  '40P01',
  '40001',
  'P1001',
  'P1008',
  'P1017',
  'P2024',
  'P2028',
  'P2034',
  'P2037',
]);
const OUTAGE_MESSAGE =
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Client was closed)/;
const isOutage = (error: unknown): boolean =>
  error instanceof AggregateError
    ? error.errors.some(isOutage)
    : error instanceof Error &&
      (readErrorCodes(error).some((code) => OUTAGE_CODES.has(String(code))) || OUTAGE_MESSAGE.test(error.message));

/** Prisma wraps the server's own code up in one of its own (P2010, P2039), and says it beside. */
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
