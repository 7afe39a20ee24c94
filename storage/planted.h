// Bugs that the simulator plants on purpose, one at a time, to prove that its judges see them
// (simulation.md). All off outside of `tidemark-sim --plant NAME` and the syscall check of tests/chaos.
// Passed by value in options, never global.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tidemark::storage {

enum class Planted : uint8_t {
  none,
  ack_before_sync,          // an append counts as durable when its group is handed to the lane
  forget_folder_sync,       // a new journal file's folder entry is never synced
  early_stretch_reuse,      // a journal stretch is free as soon as it is full
  torn_tail_is_data,        // recovery takes a group without checking its checksum
  corruption_is_torn_tail,  // recovery cuts at damage even where later groups prove that it was synced
  retry_failed_sync,        // a failed sync is tried again, and its success believed
  epoch_reused,             // a restart leads in the epoch that it led in before
  producer_state_lost,      // a roll drops the idempotent producers' state
  segment_boundary,         // a read at a segment's first offset looks into the segment before
  stale_index,              // truncation leaves the index entries of what it cut
  dead_log_replayed,        // recovery replays a deleted log's records into its namesake
  group_reply_early,        // a group's coordinator answers before its record is committed
  groups_forgotten,         // it passes over the records of groups when it loads its log
  fenced_commit,            // it takes a member's commit whatever its generation
  group_lags_log,           // it decides on offsets without the commit that it has appended last
  living_group_expired,     // it lets the offsets of a group with members expire
  deadlines_carried_over,   // a restart counts sessions from when the group settled
  expiry_unlogged,          // offsets expire without a tombstone in its log
  two_owners,               // it assigns to the second member what the first one has
  fenced_instance,          // it takes a static member's commit whatever its member id
  tombstone_early,          // the log cleaner drops a tombstone when it first finds it
  newest_value_dropped,     // it drops the newest record of a key together with the older ones
  swap_unsynced,            // it removes the old segments before the new one's name is synced
  whole_sync_once,          // what a checkpoint writes behind its first sync of everything is not synced
  gaps_anywhere,            // where a log was cleaned, missing offsets are no damage anywhere in it
};

inline constexpr std::array<std::pair<Planted, std::string_view>, 25> kPlantedBugs{{
    {Planted::ack_before_sync, "ack-before-sync"},
    {Planted::forget_folder_sync, "forget-folder-sync"},
    {Planted::early_stretch_reuse, "early-stretch-reuse"},
    {Planted::torn_tail_is_data, "torn-tail-is-data"},
    {Planted::corruption_is_torn_tail, "corruption-is-torn-tail"},
    {Planted::retry_failed_sync, "retry-failed-sync"},
    {Planted::epoch_reused, "epoch-reused"},
    {Planted::producer_state_lost, "producer-state-lost"},
    {Planted::segment_boundary, "segment-boundary"},
    {Planted::stale_index, "stale-index"},
    {Planted::dead_log_replayed, "dead-log-replayed"},
    {Planted::group_reply_early, "group-reply-early"},
    {Planted::groups_forgotten, "groups-forgotten"},
    {Planted::fenced_commit, "fenced-commit"},
    {Planted::group_lags_log, "group-lags-log"},
    {Planted::living_group_expired, "living-group-expired"},
    {Planted::deadlines_carried_over, "deadlines-carried-over"},
    {Planted::expiry_unlogged, "expiry-unlogged"},
    {Planted::two_owners, "two-owners"},
    {Planted::fenced_instance, "fenced-instance"},
    {Planted::tombstone_early, "tombstone-early"},
    {Planted::newest_value_dropped, "newest-value-dropped"},
    {Planted::swap_unsynced, "swap-unsynced"},
    {Planted::whole_sync_once, "whole-sync-once"},
    {Planted::gaps_anywhere, "gaps-anywhere"},
}};

inline std::optional<Planted> parse_planted(std::string_view name) {
  for (const auto& [bug, text] : kPlantedBugs)
    if (text == name) return bug;
  return std::nullopt;
}

}  // namespace tidemark::storage
