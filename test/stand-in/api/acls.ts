import { randomUUID } from 'node:crypto';
import { type Answer, ApiError, type Call, found, type Handlers } from './call.ts';

function objectOf(call: Call): string {
  if (call.params.object_type !== 'assets') throw new ApiError(501, 'The stand-in gives permissions to assets only');
  return found(call.state.assets.get(call.params.object_key), 'Asset').id;
}

function applyTemplate(call: Call): Answer {
  const templateId = call.params.template_id ?? '';
  if (!call.state.aclTemplates.has(templateId)) throw new ApiError(404, 'Template not found');
  call.state.acls.push({ id: randomUUID(), object_key: objectOf(call), template_id: templateId });
  return { status: 200 };
}

function putGroup(call: Call): Answer {
  const given = { object_key: objectOf(call), object_type: 'assets', group_id: call.params.group_id };
  const { permissions } = call.body;
  call.state.acls.push({ id: randomUUID(), ...given, permissions });
  return { status: 200, body: { ...given, permissions } };
}

/** Permissions of assets (reference C.15); they are noted, nothing is refused because of them. */
export const aclHandlers: Handlers = {
  'POST /API/acls/v1/acl/templates/{template_id}/{object_type}/{object_key}/': applyTemplate,
  'PUT /API/acls/v1/groups/{group_id}/acl/{object_type}/{object_key}/': putGroup,
};
