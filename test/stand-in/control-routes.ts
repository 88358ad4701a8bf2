import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ApiError } from './api/call.ts';
import type { StandInControl } from './control.ts';
import type { FaultPlan } from './faults/fault-plan.ts';

const rate = z.number().min(0).max(1);
const faultPlanSchema = z.strictObject({
  latencyMs: z.number().nonnegative().optional(),
  status: z.strictObject({ rate, code: z.number().int().min(400).max(599) }).optional(),
  unauthorized: z.boolean().optional(),
  throttle: z.strictObject({ rate }).optional(),
  budget: z.union([z.boolean(), z.strictObject({ calls: z.number(), windowMs: z.number().max(20_000) })]).optional(),
  dropAfterCommit: z.strictObject({ rate }).optional(),
  lateCommit: z.strictObject({ rate, delayMs: z.number().nonnegative() }).optional(),
  listLagMs: z.number().nonnegative().optional(),
  outage: z.boolean().optional(),
  objectStore: z.boolean().optional(),
  seed: z.number().int().optional(),
  only: z
    .strictObject({
      methods: z.array(z.string()).optional(),
      pathIncludes: z.string().optional(),
      times: z.number().int().optional(),
    })
    .optional(),
});

const downloadSchema = z.strictObject({
  fileSetId: z.string(),
  storageId: z.string(),
  directoryPath: z.string(),
  originalUrl: z.string().optional(),
});
const uploadSchema = z.strictObject({
  fileSetId: z.string(),
  destinationStorageId: z.string(),
  directoryPath: z.string().optional(),
});
const eventSchema = z.strictObject({ storageId: z.string(), type: z.string(), data: z.unknown().optional() });
const fileSchema = z.strictObject({ fileId: z.string() });

const withoutUndefined = <T extends object>(value: T) =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined));

/** `/_control/…`: what tests and the demo steer and look at. Needs no token; the server listens on loopback only. */
export async function controlRoutes(app: FastifyInstance, control: StandInControl): Promise<void> {
  app.setErrorHandler((error, _request, reply) => {
    const status = error instanceof ApiError ? error.status : error instanceof z.ZodError ? 400 : 500;
    const message = error instanceof Error ? error.message : String(error);
    return reply.code(status).send({ errors: [message] });
  });
  app.put('/_control/faults', async (request) => {
    control.setFaults(withoutUndefined(faultPlanSchema.parse(request.body)) as FaultPlan);
    return control.faults();
  });
  app.get('/_control/faults', async () => control.faults());
  app.get('/_control/state', async () => control.state());
  app.get('/_control/violations', async () => ({ violations: control.state().violations }));
  app.delete('/_control/violations', async (_request, reply) => {
    control.clearViolations();
    return reply.code(204).send();
  });
  app.get<{ Params: { '*': string } }>('/_control/objects/*', async (request) => {
    const object = control.object(request.params['*']);
    if (!object) throw new ApiError(404, 'There is no such object');
    return object;
  });
  app.get('/_control/objects', async () => ({ objects: control.objects() }));
  app.post('/_control/orders/download', async (request) => {
    const { originalUrl, ...order } = downloadSchema.parse(request.body);
    return control.orderDownload({ ...order, ...(originalUrl === undefined ? {} : { originalUrl }) });
  });
  app.post('/_control/orders/upload', async (request) => {
    const { directoryPath, ...order } = uploadSchema.parse(request.body);
    return control.orderUpload({ ...order, ...(directoryPath === undefined ? {} : { directoryPath }) });
  });
  app.post('/_control/orders/delete', async (request) => control.orderDelete(fileSchema.parse(request.body)));
  app.post('/_control/orders/transcode', async (request) => control.orderTranscode(fileSchema.parse(request.body)));
  app.post('/_control/orders/edge-transcode', async (request) =>
    control.orderEdgeTranscode(fileSchema.parse(request.body)),
  );
  app.post('/_control/events', async (request) => ({ eventId: control.emitEvent(eventSchema.parse(request.body)) }));
}
