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
  /** The response contains the secret for `verifyWebhook`, which cannot be read again. */
  create: (endpoint: CreateEndpointData['body'], options?: CallOptions): Promise<EndpointWithSecret> =>
    createEndpoint({ ...toRequestOptions(client, options), body: endpoint }),
  list: (options?: CallOptions): Promise<Endpoints> => listEndpoints({ ...toRequestOptions(client, options) }),
  get: (endpointId: string, options?: CallOptions): Promise<Endpoint> =>
    getEndpoint({ ...toRequestOptions(client, options), path: { endpointId } }),
  change: (endpointId: string, change: ChangeEndpointData['body'], options?: CallOptions): Promise<Endpoint> =>
    changeEndpoint({ ...toRequestOptions(client, options), path: { endpointId }, body: change }),
  delete: (endpointId: string, options?: CallOptions): Promise<DeletedEndpoint> =>
    deleteEndpoint({ ...toRequestOptions(client, options), path: { endpointId } }),
  /** Creates a new secret. During the overlap, the old secret signs too. */
  rotateSecret: (
    endpointId: string,
    settings: RotateEndpointSecretData['body'] = {},
    options?: CallOptions,
  ): Promise<EndpointWithSecret> =>
    rotateEndpointSecret({ ...toRequestOptions(client, options), path: { endpointId }, body: settings }),
  /** Sends a test event. */
  ping: (endpointId: string, options?: CallOptions): Promise<Ping> =>
    pingEndpoint({ ...toRequestOptions(client, options), path: { endpointId } }),
  /** The deliveries with their attempts, newest events first. */
  deliveries: (
    endpointId: string,
    query: NonNullable<ListDeliveriesData['query']> = {},
    options?: CallOptions,
  ): PagedList<DeliveryPage, Delivery> =>
    createPagedList(
      query,
      (pageQuery) => listDeliveries({ ...toRequestOptions(client, options), path: { endpointId }, query: pageQuery }),
      (page) => page.deliveries,
    ),
  /** Sends events again: the listed ones, or all since a time. */
  replay: (endpointId: string, selection: ReplayEventsData['body'], options?: CallOptions): Promise<Replayed> =>
    replayEvents({ ...toRequestOptions(client, options), path: { endpointId }, body: selection }),
  replayDelivery: (deliveryId: string, options?: CallOptions): Promise<Delivery> =>
    replayDelivery({ ...toRequestOptions(client, options), path: { deliveryId } }),
});
