#include "broker/cluster_view.h"

namespace tidemark::broker {

const TopicView* ClusterView::topic(const Uuid& id) const {
  const auto* found = topics.find(id);
  return found == nullptr ? nullptr : found->get();
}

const TopicView* ClusterView::topic(std::string_view name) const {
  const replication::TopicImage* found = image->topic(name);
  return found == nullptr ? nullptr : topic(found->id);
}

}  // namespace tidemark::broker
