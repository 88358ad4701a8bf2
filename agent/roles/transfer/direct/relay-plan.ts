/** Names and bodies of a relay: pure. */

/** A file on its way through the cloud to the storage of another gateway. */
export interface RelayOrder {
  /** Record of iconik's queue; what makes two attempts the same relay. */
  relayId: string;
  /** iconik's job. */
  iconikJobId: string;
  storageId: string;
  assetId: string;
  versionId?: string | null | undefined;
  formatId: string;
  sizeBytes: number;
  md5: string;
  destinationStorageId: string;
  destinationDirectoryPath: string;
  destinationFileSetName?: string | null | undefined;
}

/** Folder in the cloud that only this relay uses: by it a file of an earlier attempt is found again. */
export const relayDirectory = (relayId: string): string => `isg-relay/${relayId}`;

/** Body of the temporary file set. */
export function temporaryFileSetBody(order: RelayOrder, cloudStorageId: string, name: string): Record<string, unknown> {
  return {
    format_id: order.formatId,
    base_dir: relayDirectory(order.relayId),
    name: order.destinationFileSetName || name,
    component_ids: [],
    job_id: order.iconikJobId,
    storage_id: cloudStorageId,
    original_storage_id: order.storageId,
    ...(order.versionId ? { version_id: order.versionId } : {}),
  };
}

/** Body of the temporary file. */
export function temporaryFileBody(
  order: RelayOrder,
  file: { cloudStorageId: string; fileSetId: string; name: string },
): Record<string, unknown> {
  return {
    name: file.name,
    original_name: file.name,
    directory_path: relayDirectory(order.relayId),
    type: 'FILE',
    status: 'OPEN',
    file_set_id: file.fileSetId,
    format_id: order.formatId,
    storage_id: file.cloudStorageId,
    size: order.sizeBytes,
    checksum: order.md5.toLowerCase(),
    ...(order.versionId ? { version_id: order.versionId } : {}),
  };
}

/** Body of the order for the second leg. Its job is one of its own: this leg's ends with this leg. */
export function exportBody(order: RelayOrder, name: string): Record<string, unknown> {
  return {
    asset_id: order.assetId,
    format_id: order.formatId,
    component_ids: [],
    original_storage_id: order.storageId,
    destination_directory_path: order.destinationDirectoryPath,
    destination_file_set_name: order.destinationFileSetName || name,
    destination_filename: name,
    temporary_file_set_source: true,
  };
}
