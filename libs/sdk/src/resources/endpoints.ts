import { toRequestOptions, type CallOptions } from '../call.ts';
import type { Client } from '../generated/client/index.ts';
import {
  changeEndpoint,
  createEndpoint,
  deleteEndpoint,
  getEndpoint,
  listDeliveries,
  listEndpoints,
  pingEndpoint,
  replayDelivery,
  replayEvents,
  rotateEndpointSecret,
} from '../generated/sdk.gen.ts';
import type {
  ChangeEndpointData,
  CreateEndpointData,
  DeletedEndpoint,
  Delivery,
  DeliveryPage,
  Endpoint,
  Endpoints,
  EndpointWithSecret,
  ListDeliveriesData,
  Ping,
  Replayed,
  ReplayEventsData,
  RotateEndpointSecretData,
} from '../generated/types.gen.ts';
import { createPagedList, type PagedList } from '../paged-list.ts';

export const endpoints = (client: Client) => ({
  /** Has your events sent to an address. The secret in the reply is shown this once: verifyWebhook needs it. */
  create: (endpoint: CreateEndpointData['body'], options?: CallOptions): Promise<EndpointWithSecret> =>
    createEndpoint({ ...toRequestOptions(client, options), body: endpoint }),
  list: (options?: CallOptions): Promise<Endpoints> => listEndpoints({ ...toRequestOptions(client, options) }),
  get: (endpointId: string, options?: CallOptions): Promise<Endpoint> =>
    getEndpoint({ ...toRequestOptions(client, options), path: { endpointId } }),
  change: (endpointId: string, change: ChangeEndpointData['body'], options?: CallOptions): Promise<Endpoint> =>
    changeEndpoint({ ...toRequestOptions(client, options), path: { endpointId }, body: change }),
  delete: (endpointId: string, options?: CallOptions): Promise<DeletedEndpoint> =>
    deleteEndpoint({ ...toRequestOptions(client, options), path: { endpointId } }),
  /** A new secret; the old one signs too for a while. */
  rotateSecret: (
    endpointId: string,
    how: RotateEndpointSecretData['body'] = {},
    options?: CallOptions,
  ): Promise<EndpointWithSecret> =>
    rotateEndpointSecret({ ...toRequestOptions(client, options), path: { endpointId }, body: how }),
  /** Sends a test event. */
  ping: (endpointId: string, options?: CallOptions): Promise<Ping> =>
    pingEndpoint({ ...toRequestOptions(client, options), path: { endpointId } }),
  /** What was and is to be sent, the newest events first, with every attempt. */
  deliveries: (
    endpointId: string,
    query: NonNullable<ListDeliveriesData['query']> = {},
    options?: CallOptions,
  ): PagedList<DeliveryPage, Delivery> =>
    createPagedList(
      query,
      (asked) => listDeliveries({ ...toRequestOptions(client, options), path: { endpointId }, query: asked }),
      (page) => page.deliveries,
    ),
  /** Sends events again: those that are named, or those of a time. */
  replay: (endpointId: string, which: ReplayEventsData['body'], options?: CallOptions): Promise<Replayed> =>
    replayEvents({ ...toRequestOptions(client, options), path: { endpointId }, body: which }),
  replayDelivery: (deliveryId: string, options?: CallOptions): Promise<Delivery> =>
    replayDelivery({ ...toRequestOptions(client, options), path: { deliveryId } }),
});
