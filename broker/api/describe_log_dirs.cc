// DescribeLogDirs (key 35), v1-5: this node's data folders, their space, and the size of each replica in
// them. One that has failed has KAFKA_STORAGE_ERROR.
#include <map>
#include <set>
#include <vector>

#include "broker/api/handlers.h"
#include "protocol/messages/describe_log_dirs_request.h"
#include "protocol/messages/describe_log_dirs_response.h"

namespace tidemark::broker {

using runtime::Task;

namespace {

// By folder, topic and partition.
using Sizes = std::vector<std::map<std::string, std::map<int32_t, uint64_t>>>;

Task<Sizes> sizes_on(Shard& shard, std::shared_ptr<const std::map<std::string, std::set<int32_t>>> wanted) {
  Sizes sizes(shard.folders());
  for (const auto& [id, partition] : shard.partitions()) {
    if (wanted) {
      const auto topic = wanted->find(partition->topic());
      if (topic == wanted->end() || !topic->second.contains(id.partition.value)) continue;
    }
    sizes[shard.folder_of(partition->log())][partition->topic()][id.partition.value] =
        partition->log().size_bytes();
  }
  co_return sizes;
}

}  // namespace

Task<Result<Response>> handle_describe_log_dirs(ApiServices& services, RequestContext& request) {
  auto decoded = decode_body<protocol::DescribeLogDirsRequest>(request);
  if (!decoded) co_return fail(decoded.error());
  std::shared_ptr<std::map<std::string, std::set<int32_t>>> wanted;
  if (decoded->topics) {
    wanted = std::make_shared<std::map<std::string, std::set<int32_t>>>();
    for (const auto& topic : *decoded->topics)
      (*wanted)[std::string(topic.topic)].insert(topic.partitions.begin(), topic.partitions.end());
  }
  Sizes sizes(services.folders.size());
  for (auto& shard : services.shards) {
    auto make = [target = shard.get(), wanted] { return sizes_on(*target, wanted); };
    auto calling = shard->call(services.home.loop(), std::move(make));
    auto parts = co_await calling;
    for (size_t f = 0; f < parts.size(); ++f) {
      for (auto& [topic, partitions] : parts[f]) sizes[f][topic].merge(partitions);
    }
  }

  protocol::DescribeLogDirsResponse response;
  for (size_t f = 0; f < services.folders.size(); ++f) {
    FolderInfo& folder = *services.folders[f];
    auto& dir = response.results.emplace_back();
    dir.log_dir = folder.path();
    Result<storage::DiskSpace> space = fail(Error::io("offline"));
    if (!folder.offline() && folder.stalled(services.home.loop().mono())) {
      space = storage::DiskSpace{folder.total_bytes(), folder.free_bytes()};  // as it was asked last
    } else if (!folder.offline()) {
      auto asking = folder.space(services.home.loop());
      space = co_await asking;
    }
    if (!space) {
      dir.error_code = static_cast<int16_t>(ErrorCode::KAFKA_STORAGE_ERROR);
      continue;
    }
    dir.total_bytes = static_cast<int64_t>(space->total);
    dir.usable_bytes = static_cast<int64_t>(space->available);
    for (const auto& [name, partitions] : sizes[f]) {
      auto& topic = dir.topics.emplace_back();
      topic.name = name;
      for (const auto& [index, bytes] : partitions) {
        auto& partition = topic.partitions.emplace_back();
        partition.partition_index = index;
        partition.partition_size = static_cast<int64_t>(bytes);
      }
    }
  }
  co_return respond(request, response);
}

}  // namespace tidemark::broker
