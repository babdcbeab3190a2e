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
import { Change, type NoteChange } from '../audit/note-change.ts';
import { Tenant } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { pageOf } from '../input/page.ts';
import { body, idOr, noSuchPage, query } from '../input/parse.ts';
import { showDelivery, showEndpoint } from './show.ts';

const MOST_REPLAYED = 1_000;

const noSuchEndpoint = (): VerdictError =>
  new VerdictError('client', 'endpoint-not-found', 'There is no such endpoint.', {
    fix: 'Check the id; GET /v1/endpoints lists yours.',
  });
const noSuchDelivery = (): VerdictError =>
  new VerdictError('client', 'delivery-not-found', 'There is no such delivery.', {
    fix: 'Check the id; GET /v1/endpoints/{id}/deliveries lists them.',
  });
const endpointDisabled = (): VerdictError =>
  new VerdictError('client', 'endpoint-disabled', 'Nothing is sent to this endpoint.', {
    fix: 'Enable it first: PATCH /v1/endpoints/{id} with {"enabled":true}.',
  });
const noSuchEvent = (pointer: string): VerdictError =>
  new VerdictError('client', 'invalid-body', 'The body names an event that there is not.', {
    field: pointer,
    fix: 'Give the ids of events of yours; GET /v1/events lists them.',
  });
const eventGone = (pointer: string): VerdictError =>
  new VerdictError('client', 'event-expired', 'Events are kept for 30 days; there may have been more before that.', {
    field: pointer,
    fix: 'Name events, or a since, of the last 30 days.',
  });

const endpointId = idOr(noSuchEndpoint);

@Controller('v1')
export class EndpointsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post('endpoints')
  async create(
    @Tenant() tenantId: string,
    @Body(body(CreateEndpoint)) wanted: CreateEndpoint,
    @Change() note: NoteChange,
  ): Promise<EndpointWithSecret> {
    const { row, secret } = await createEndpoint(this.deps, tenantId, wanted);
    note({ after: noted(row) });
    return { endpoint: this.#show(row), secret };
  }

  @Get('endpoints')
  async list(@Tenant() tenantId: string): Promise<Endpoints> {
    return { endpoints: (await listEndpoints(this.deps.store, tenantId)).map((row) => this.#show(row)) };
  }

  @Get('endpoints/:endpointId')
  async get(@Tenant() tenantId: string, @Param('endpointId', endpointId) id: string): Promise<Endpoint> {
    return this.#show(await this.#read(tenantId, id));
  }

  @Patch('endpoints/:endpointId')
  async change(
    @Tenant() tenantId: string,
    @Param('endpointId', endpointId) id: string,
    @Body(body(ChangeEndpoint)) { url, description, types, enabled }: ChangeEndpoint,
    @Change() note: NoteChange,
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
    note({ before: noted(before), after: noted(row) });
    return this.#show(row);
  }

  @Delete('endpoints/:endpointId')
  async remove(@Tenant() tenantId: string, @Param('endpointId', endpointId) id: string): Promise<DeletedEndpoint> {
    if (!(await deleteEndpoint(this.deps.store, tenantId, id))) throw noSuchEndpoint();
    return { id };
  }

  @Post('endpoints/:endpointId/rotate-secret')
  @HttpCode(200)
  async rotate(
    @Tenant() tenantId: string,
    @Param('endpointId', endpointId) id: string,
    @Body(body(RotateSecret)) { overlapSeconds }: RotateSecret,
    @Change() note: NoteChange,
  ): Promise<EndpointWithSecret> {
    const rotated = await rotateEndpointSecret(this.deps, tenantId, id, overlapSeconds);
    if (rotated === null) throw noSuchEndpoint();
    note({ after: { oldSecretUntil: rotated.row.old_secret_until } });
    return { endpoint: this.#show(rotated.row), secret: rotated.secret };
  }

  @Post('endpoints/:endpointId/ping')
  @HttpCode(202)
  async ping(@Tenant() tenantId: string, @Param('endpointId', endpointId) id: string): Promise<Ping> {
    const ping = await pingEndpoint(this.deps.store, tenantId, id);
    if (ping === null) throw noSuchEndpoint();
    if (ping === 'disabled') throw endpointDisabled();
    return {
      deliveryId: ping.deliveryId,
      eventId: eventId({ session_id: null, endpoint_id: ping.endpointId, seq: ping.seq }),
    };
  }

  @Get('endpoints/:endpointId/deliveries')
  async deliveries(
    @Tenant() tenantId: string,
    @Param('endpointId', endpointId) id: string,
    @Query(query(ListDeliveries)) { state, limit, after }: ListDeliveries,
  ): Promise<DeliveryPage> {
    await this.#read(tenantId, id);
    if (after !== undefined && !(await hasDelivery(this.deps.store, tenantId, id, after))) throw noSuchPage();
    const lines = await listDeliveries(this.deps.store, tenantId, id, {
      state,
      limit: limit + 1,
      ...(after === undefined ? {} : { after }),
    });
    const { shown, next } = pageOf(lines, limit, (line) => line.id);
    return { deliveries: shown.map(showDelivery), next };
  }

  @Post('endpoints/:endpointId/replay')
  @HttpCode(202)
  async replay(
    @Tenant() tenantId: string,
    @Param('endpointId', endpointId) id: string,
    @Body(body(Replay)) { eventIds, since, until, after }: Replay,
  ): Promise<Replayed> {
    if (!(await this.#read(tenantId, id)).enabled) throw endpointDisabled();
    const place = async (event: string, pointer: string): Promise<string> => {
      const found = await findEventPosition(this.deps.store, tenantId, event);
      if (found === null) throw noSuchEvent(pointer);
      if (found.id === null) throw eventGone(pointer);
      return found.id;
    };
    const outboxIds =
      eventIds === undefined ? null : await Promise.all(eventIds.map((event, i) => place(event, `/eventIds/${i}`)));
    const done = await replayEvents(this.deps.store, tenantId, id, {
      outboxIds,
      since: since === undefined ? null : new Date(since),
      until: until === undefined ? null : new Date(until),
      after: after === undefined ? null : await place(after, '/after'),
      limit: MOST_REPLAYED,
    });
    if (done === 'gone') throw eventGone('/since');
    const { count, last } = done;
    return { replayed: count, next: count === MOST_REPLAYED && last !== null ? eventId(last) : null };
  }

  @Post('deliveries/:deliveryId/replay')
  @HttpCode(202)
  async again(@Tenant() tenantId: string, @Param('deliveryId', idOr(noSuchDelivery)) id: string): Promise<Delivery> {
    const replayed = await replayDelivery(this.deps.store, tenantId, id);
    if (replayed === 'disabled') throw endpointDisabled();
    const line = replayed === null ? null : await readDelivery(this.deps.store, tenantId, id);
    if (line === null) throw noSuchDelivery();
    return showDelivery(line);
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

/** What the audit log says of an endpoint. An address can hold a secret of its owner's in its path. */
const noted = ({ url, types, enabled }: EndpointRow): object => ({ host: new URL(url).host, types, enabled });
