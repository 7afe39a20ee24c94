// The metadata log's name and id, as every KRaft cluster has them.
#pragma once

#include "protocol/ids.h"
#include "replication/controller/topic_name.h"

namespace tidemark::broker {

using replication::kClusterMetadataTopic;
inline const Uuid kMetadataTopicId = Uuid::from_halves(0, 1);

}  // namespace tidemark::broker
