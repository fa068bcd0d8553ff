/**
 * Which alerts of the cluster and its nodes are on, and at which thresholds. Thresholds are strings on the wire.
 */
import { flag, settings, text } from './shapes.ts'

function threshold(preset: string, description: string, isOn = false) {
  return settings(
    {
      enabled: flag(isOn, 'Whether the alert is on.'),
      threshold: text(preset, 'The value at which it is raised.', { maxLength: 32 }),
    },
    description,
  )
}

function alert(description: string) {
  return flag(false, description)
}

/** Where the reference has no threshold: 45 days, 80 percent. */
export const alertSettings = () =>
  settings(
    {
      cluster_certs_about_to_expire: threshold('45', 'A certificate expires in so many days.'),
      cluster_even_node_count: alert('The number of nodes is even.'),
      cluster_flash_overcommit: alert('Databases were promised more flash than there is.'),
      cluster_inconsistent_rl_sw: alert('Nodes run different versions of the control plane.'),
      cluster_internal_bdb: alert('The cluster has trouble with a database of its own.'),
      cluster_license_about_to_expire: threshold('7', 'The licence expires in so many days.', true),
      cluster_multiple_nodes_down: alert('Several nodes are down.'),
      cluster_node_joined: alert('A node joined.'),
      cluster_node_remove_abort_completed: alert('Removing a node was called off.'),
      cluster_node_remove_abort_failed: alert('Removing a node could not be called off.'),
      cluster_node_remove_completed: alert('A node was removed.'),
      cluster_node_remove_failed: alert('A node could not be removed.'),
      cluster_ocsp_query_failed: alert('The OCSP server did not answer.'),
      cluster_ocsp_status_revoked: alert('A certificate was revoked.'),
      cluster_ram_overcommit: alert('Databases were promised more memory than there is.'),
      cluster_too_few_nodes_for_replication: alert('There are too few nodes for replicas.'),
      cluster_users_count_approaches_limit: threshold('90', 'So many percent of the users that there can be.', true),
      node_aof_slow_disk_io: alert('The disk is too slow for the logs of writes.'),
      node_checks_error: alert('A check of a node failed.'),
      node_cpu_utilization: threshold('80', 'So many percent of the processors are in use.'),
      node_ephemeral_storage: threshold('80', 'So many percent of the ephemeral disk are in use.'),
      node_failed: alert('A node is down.'),
      node_free_flash: threshold('80', 'So many percent of the flash are in use.'),
      node_insufficient_disk_aofrw: alert('The disk has no room to rewrite a log.'),
      node_internal_certs_about_to_expire: threshold('45', 'An internal certificate expires in so many days.'),
      node_memory: threshold('80', 'So many percent of the memory are in use.'),
      node_net_throughput: threshold('0', 'So many bytes per second go over the network.'),
      node_persistent_storage: threshold('80', 'So many percent of the persistent disk are in use.'),
    },
    'Which alerts of the cluster and its nodes are on.',
  )
