import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post, Query } from '@nestjs/common';
import { createEndpoint } from '@partyline/conference/endpoints/create-endpoint';
import { rotateEndpointSecret } from '@partyline/conference/endpoints/rotate-endpoint-secret';
import { updateEndpoint } from '@partyline/conference/endpoints/update-endpoint';
import {
  ChangeEndpoint,
  CreateEndpoint,
  ListDeliveries,
  Replay,
  RotateSecret,
  type DeletedEndpoint,
  type Delivery,
  type DeliveryPage,
  type Endpoint,
  type Endpoints,
  type EndpointWithSecret,
  type Ping,
  type Replayed,
} from '@partyline/contracts/endpoints/endpoint';
import { VerdictError } from '@partyline/domain/verdict';
import {
  hasDelivery,
  listDeliveries,
  readDelivery,
  replayDelivery,
  replayEvents,
} from '@partyline/store/endpoints/delivery-log';
import {
  deleteEndpoint,
  listEndpoints,
  pingEndpoint,
  readEndpoint,
  type EndpointRow,
} from '@partyline/store/endpoints/endpoints';
import { eventId, findEventPosition } from '@partyline/store/events/outbox';
import { ChangeRecorder, type RecordChange } from '../audit/record-change.ts';
import { TenantId } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { toPage } from '../input/page.ts';
import { body, idPipe, noSuchPage, optionalBody, query } from '../input/parse.ts';
import { showDelivery, showEndpoint } from './show.ts';

const MAX_REPLAYED_EVENTS = 1_000;

const noSuchEndpoint = (): VerdictError =>
  new VerdictError('client', 'endpoint-not-found', 'This endpoint does not exist.', {
    fix: 'Check the id. GET /v1/endpoints lists your endpoints.',
  });
const noSuchDelivery = (): VerdictError =>
  new VerdictError('client', 'delivery-not-found', 'This delivery does not exist.', {
    fix: 'Check the id. GET /v1/endpoints/{id}/deliveries lists the deliveries.',
  });
const endpointDisabled = (): VerdictError =>
  new VerdictError('client', 'endpoint-disabled', 'This endpoint is disabled.', {
    fix: 'Enable it: PATCH /v1/endpoints/{id} with {"enabled":true}.',
  });
const noSuchEvent = (pointer: string): VerdictError =>
  new VerdictError('client', 'invalid-body', 'The body names an event that does not exist.', {
    field: pointer,
    fix: 'Send ids of your events. GET /v1/events lists them.',
  });
const eventExpired = (pointer: string): VerdictError =>
  new VerdictError('client', 'event-expired', 'Events are retained for 30 days, and the request starts earlier.', {
    field: pointer,
    fix: 'Send event ids or a `since` of the last 30 days.',
  });

const endpointId = idPipe(noSuchEndpoint);

@Controller('v1')
export class EndpointsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post('endpoints')
  async create(
    @TenantId() tenantId: string,
    @Body(body(CreateEndpoint)) wanted: CreateEndpoint,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<EndpointWithSecret> {
    const { row, secret } = await createEndpoint(this.deps, tenantId, wanted);
    recordChange({ after: toAuditFields(row) });
    return { endpoint: this.#show(row), secret };
  }

  @Get('endpoints')
  async list(@TenantId() tenantId: string): Promise<Endpoints> {
    return { endpoints: (await listEndpoints(this.deps.store, tenantId)).map((row) => this.#show(row)) };
  }

  @Get('endpoints/:endpointId')
  async get(@TenantId() tenantId: string, @Param('endpointId', endpointId) id: string): Promise<Endpoint> {
    return this.#show(await this.#read(tenantId, id));
  }

  @Patch('endpoints/:endpointId')
  async change(
    @TenantId() tenantId: string,
    @Param('endpointId', endpointId) id: string,
    @Body(body(ChangeEndpoint)) { url, description, types, enabled }: ChangeEndpoint,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<Endpoint> {
    const before = await this.#read(tenantId, id);
    const change = {
      ...(url === undefined ? {} : { url }),
      ...(description === undefined ? {} : { description }),
      ...(types === undefined ? {} : { types }),
      ...(enabled === undefined ? {} : { enabled }),
    };
    const row = await updateEndpoint(this.deps, tenantId, id, change);
    if (row === null) throw noSuchEndpoint();
    recordChange({ before: toAuditFields(before), after: toAuditFields(row) });
    return this.#show(row);
  }

  @Delete('endpoints/:endpointId')
  async remove(@TenantId() tenantId: string, @Param('endpointId', endpointId) id: string): Promise<DeletedEndpoint> {
    if (!(await deleteEndpoint(this.deps.store, tenantId, id))) throw noSuchEndpoint();
    return { id };
  }

  @Post('endpoints/:endpointId/rotate-secret')
  @HttpCode(200)
  async rotate(
    @TenantId() tenantId: string,
    @Param('endpointId', endpointId) id: string,
    @Body(optionalBody(RotateSecret)) { overlapSeconds }: RotateSecret,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<EndpointWithSecret> {
    const rotated = await rotateEndpointSecret(this.deps, tenantId, id, overlapSeconds);
    if (rotated === null) throw noSuchEndpoint();
    recordChange({ after: { oldSecretUntil: rotated.row.old_secret_until } });
    return { endpoint: this.#show(rotated.row), secret: rotated.secret };
  }

  @Post('endpoints/:endpointId/ping')
  @HttpCode(202)
  async ping(@TenantId() tenantId: string, @Param('endpointId', endpointId) id: string): Promise<Ping> {
    const ping = await pingEndpoint(this.deps.store, tenantId, id);
    if (ping === null) throw noSuchEndpoint();
    if (ping === 'disabled') throw endpointDisabled();
    return {
      deliveryId: ping.deliveryId,
      eventId: eventId({ room_id: null, session_id: null, endpoint_id: ping.endpointId, seq: ping.seq }),
    };
  }

  @Get('endpoints/:endpointId/deliveries')
  async deliveries(
    @TenantId() tenantId: string,
    @Param('endpointId', endpointId) id: string,
    @Query(query(ListDeliveries)) { state, limit, after }: ListDeliveries,
  ): Promise<DeliveryPage> {
    await this.#read(tenantId, id);
    if (after !== undefined && !(await hasDelivery(this.deps.store, tenantId, id, after))) throw noSuchPage();
    const entries = await listDeliveries(this.deps.store, tenantId, id, {
      state,
      limit: limit + 1,
      ...(after === undefined ? {} : { after }),
    });
    const { shown, next } = toPage(entries, limit, (entry) => entry.id);
    return { deliveries: shown.map(showDelivery), next };
  }

  @Post('endpoints/:endpointId/replay')
  @HttpCode(202)
  async replay(
    @TenantId() tenantId: string,
    @Param('endpointId', endpointId) id: string,
    @Body(body(Replay)) { eventIds, since, until, after }: Replay,
  ): Promise<Replayed> {
    if (!(await this.#read(tenantId, id)).enabled) throw endpointDisabled();
    const findPosition = async (event: string, pointer: string): Promise<string> => {
      const found = await findEventPosition(this.deps.store, tenantId, event);
      if (found === null) throw noSuchEvent(pointer);
      if (found.id === null) throw eventExpired(pointer);
      return found.id;
    };
    const outboxIds =
      eventIds === undefined
        ? null
        : await Promise.all(eventIds.map((event, i) => findPosition(event, `/eventIds/${i}`)));
    const done = await replayEvents(this.deps.store, tenantId, id, {
      outboxIds,
      since: since === undefined ? null : new Date(since),
      until: until === undefined ? null : new Date(until),
      after: after === undefined ? null : await findPosition(after, '/after'),
      limit: MAX_REPLAYED_EVENTS,
    });
    if (done === 'gone') throw eventExpired('/since');
    const { count, last } = done;
    return { replayed: count, next: count === MAX_REPLAYED_EVENTS && last !== null ? eventId(last) : null };
  }

  @Post('deliveries/:deliveryId/replay')
  @HttpCode(202)
  async replayDelivery(
    @TenantId() tenantId: string,
    @Param('deliveryId', idPipe(noSuchDelivery)) id: string,
  ): Promise<Delivery> {
    const replayed = await replayDelivery(this.deps.store, tenantId, id);
    if (replayed === 'disabled') throw endpointDisabled();
    const entry = replayed === null ? null : await readDelivery(this.deps.store, tenantId, id);
    if (entry === null) throw noSuchDelivery();
    return showDelivery(entry);
  }

  #show(row: EndpointRow): Endpoint {
    return showEndpoint(row, this.deps.clock.now());
  }

  async #read(tenantId: string, id: string): Promise<EndpointRow> {
    const row = await readEndpoint(this.deps.store, tenantId, id);
    if (row === null) throw noSuchEndpoint();
    return row;
  }
}

/** The audit log stores only the host: the path of a URL can contain a secret. */
const toAuditFields = ({ url, types, enabled }: EndpointRow): object => ({ host: new URL(url).host, types, enabled });
