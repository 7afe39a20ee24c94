// An ordered map that is a value: set() and erase() give a new map that shares all but O(log n) nodes with
// the old one, so an image of 10,000 topics is "copied" for every change at the price of one path. An AVL
// tree without parent links; nodes never change once made, so any thread may read a map that it holds.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <utility>

#include "protocol/invariant.h"

namespace tidemark::replication {

template <class Key, class Value>
class PersistentMap {
  struct Node;
  using Link = std::shared_ptr<const Node>;
  struct Node {
    Link left, right;
    int height;
    std::pair<const Key, Value> entry;
  };

 public:
  // In key order. Valid as long as some map that holds the entry lives.
  class Iterator {
   public:
    const std::pair<const Key, Value>& operator*() const { return stack_[depth_ - 1]->entry; }
    const std::pair<const Key, Value>* operator->() const { return &**this; }
    Iterator& operator++() {
      const Node* node = stack_[--depth_];
      push_left(node->right.get());
      return *this;
    }
    bool operator==(const Iterator& other) const {
      return depth_ == other.depth_ && (depth_ == 0 || stack_[depth_ - 1] == other.stack_[depth_ - 1]);
    }

   private:
    friend class PersistentMap;
    void push_left(const Node* node) {
      for (; node != nullptr; node = node->left.get()) push(node);
    }
    void push(const Node* node) {
      INVARIANT(depth_ < kMaxHeight, "a tree of height {}", depth_);
      stack_[depth_++] = node;
    }
    std::array<const Node*, 64> stack_;
    size_t depth_ = 0;
  };

  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] Iterator begin() const {
    Iterator it;
    it.push_left(root_.get());
    return it;
  }
  [[nodiscard]] Iterator end() const { return {}; }
  // The first entry whose key is not less than `key`.
  template <class K>
  [[nodiscard]] Iterator lower_bound(const K& key) const {
    Iterator it;
    for (const Node* node = root_.get(); node != nullptr;) {
      if (node->entry.first < key) {
        node = node->right.get();
      } else {
        it.push(node);
        node = node->left.get();
      }
    }
    return it;
  }

  // nullptr if there is none.
  template <class K>
  [[nodiscard]] const Value* find(const K& key) const {
    for (const Node* node = root_.get(); node != nullptr;) {
      if (key < node->entry.first) {
        node = node->left.get();
      } else if (node->entry.first < key) {
        node = node->right.get();
      } else {
        return &node->entry.second;
      }
    }
    return nullptr;
  }
  template <class K>
  [[nodiscard]] bool contains(const K& key) const {
    return find(key) != nullptr;
  }

  void set(const Key& key, Value value) {
    if (find(key) == nullptr) ++size_;
    root_ = set_in(root_, key, std::move(value));
  }
  // True if there was one.
  template <class K>
  bool erase(const K& key) {
    if (find(key) == nullptr) return false;
    root_ = erase_in(root_, key);
    --size_;
    return true;
  }

  bool operator==(const PersistentMap& other) const {
    if (root_ == other.root_) return true;
    return size_ == other.size_ && std::equal(begin_raw(), end_raw(), other.begin_raw());
  }

 private:
  // An AVL tree of height 64 has more than 10^13 entries.
  static constexpr size_t kMaxHeight = 64;

  // std::equal wants iterator traits; this is the only place that does.
  struct RawIterator : Iterator {
    using iterator_category = std::input_iterator_tag;
    using value_type = std::pair<const Key, Value>;
    using difference_type = std::ptrdiff_t;
    using pointer = const value_type*;
    using reference = const value_type&;
    explicit RawIterator(Iterator it) : Iterator(it) {}
  };
  RawIterator begin_raw() const { return RawIterator(begin()); }
  RawIterator end_raw() const { return RawIterator(end()); }

  static int height(const Link& node) { return node ? node->height : 0; }
  static Link make(Link left, const std::pair<const Key, Value>& entry, Link right) {
    const int h = std::max(height(left), height(right)) + 1;
    return std::make_shared<const Node>(std::move(left), std::move(right), h, entry);
  }
  // A node over two trees whose heights differ by at most 2 more than AVL allows.
  static Link balance(Link left, const std::pair<const Key, Value>& entry, Link right) {
    if (height(left) > height(right) + 1) {
      if (height(left->left) >= height(left->right))
        return make(left->left, left->entry, make(left->right, entry, std::move(right)));
      const Link& middle = left->right;
      return make(make(left->left, left->entry, middle->left), middle->entry,
                  make(middle->right, entry, std::move(right)));
    }
    if (height(right) > height(left) + 1) {
      if (height(right->right) >= height(right->left))
        return make(make(std::move(left), entry, right->left), right->entry, right->right);
      const Link& middle = right->left;
      return make(make(std::move(left), entry, middle->left), middle->entry,
                  make(middle->right, right->entry, right->right));
    }
    return make(std::move(left), entry, std::move(right));
  }
  static Link set_in(const Link& node, const Key& key, Value&& value) {
    if (!node)
      return std::make_shared<const Node>(nullptr, nullptr, 1,
                                          std::pair<const Key, Value>(key, std::move(value)));
    if (key < node->entry.first)
      return balance(set_in(node->left, key, std::move(value)), node->entry, node->right);
    if (node->entry.first < key)
      return balance(node->left, node->entry, set_in(node->right, key, std::move(value)));
    return std::make_shared<const Node>(node->left, node->right, node->height,
                                        std::pair<const Key, Value>(key, std::move(value)));
  }
  template <class K>
  static Link erase_in(const Link& node, const K& key) {
    if (key < node->entry.first) return balance(erase_in(node->left, key), node->entry, node->right);
    if (node->entry.first < key) return balance(node->left, node->entry, erase_in(node->right, key));
    if (!node->left) return node->right;
    if (!node->right) return node->left;
    const Node* next = node->right.get();
    while (next->left) next = next->left.get();
    return balance(node->left, next->entry, erase_in(node->right, next->entry.first));
  }

  Link root_;
  size_t size_ = 0;
};

}  // namespace tidemark::replication
