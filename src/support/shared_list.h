// A list in an arena that shares with an older one what both have in common.
//
//   list {size, root};  root: a leaf of up to 16 items, or up to 16 nodes of the height below
//
//   [a b c ... | p q r ... | x y z ...]      made like it, with one item changed:
//    leaf 0      leaf 1      leaf 2           leaf 0, leaf 2 and a new leaf in the place of leaf 1
//
// So a change costs one leaf and the way to it, whatever the length. An item that is written in
// place changes in every list that shares its leaf: only for rewrites that hold everywhere.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "support/arena.h"

namespace psyco {

template <class T>
class SharedList {
  static constexpr size_t kShift = 4, kFan = size_t{1} << kShift;
  struct Node {  // its items or nodes lie behind it
    uint32_t mark;
    uint32_t count;
    T* items() { return reinterpret_cast<T*>(this + 1); }
    Node** nodes() { return reinterpret_cast<Node**>(this + 1); }
  };
  static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= alignof(Node*) &&
                sizeof(Node) == sizeof(Node*));

 public:
  SharedList() = default;
  // T must have operator==. `like` is a list of the same arena.
  SharedList(Arena& arena, std::span<const T> items, const SharedList& like = {})
      : size_(items.size()) {
    const int height = height_of(size_);
    if (size_) root_ = make(arena, items, height, like.height() == height ? like.root_ : nullptr);
  }
  // The same from `like`, of the same size, leaf by leaf: change(first, items) is to fill in the
  // items from the first one on, or to say false where they are those of `like`.
  template <class Change>
  SharedList(Arena& arena, const SharedList& like, Change change) : size_(like.size_) {
    std::vector<T> items;
    if (size_) root_ = remake(arena, like.root_, like.height(), 0, items, change);
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](size_t i) { return *find(i); }
  const T& operator[](size_t i) const { return *find(i); }
  bool is(const SharedList& other) const { return root_ == other.root_ && size_ == other.size_; }

  template <class Item, class List>
  struct Iterator {
    List* list;
    size_t i;
    Item* at;
    Item& operator*() const { return *at; }
    Iterator& operator++() {
      i++, at++;
      if (i % kFan == 0 && i < list->size_) at = list->find(i);
      return *this;
    }
    bool operator!=(const Iterator& other) const { return i != other.i; }
  };
  using iterator = Iterator<T, SharedList>;
  using const_iterator = Iterator<const T, const SharedList>;
  iterator begin() { return {this, 0, size_ ? find(0) : nullptr}; }
  iterator end() { return {this, size_, nullptr}; }
  const_iterator begin() const { return {this, 0, size_ ? find(0) : nullptr}; }
  const_iterator end() const { return {this, size_, nullptr}; }

  // Calls visit(leaf, items) for each leaf in turn, whose address stands for what it holds.
  static constexpr size_t kLeaf = kFan;
  template <class Visit>
  void for_each_leaf(Visit visit) const {
    for (size_t i = 0; i < size_; i += kFan) {
      T* items = find(i);
      visit(static_cast<const void*>(items), std::span<T>(items, std::min(kFan, size_ - i)));
    }
  }

  // Visits the items that no visit with this mark has seen, in this list or another one.
  template <class Visit>
  void visit_new(uint32_t mark, Visit& visit) const {
    if (size_) visit_new(root_, height(), mark, visit);
  }

  // A longer list; what shares with this one stays as it is.
  void push_back(Arena& arena, const T& item) {
    std::vector<T> items;
    for (const T& old : *this) items.push_back(old);
    items.push_back(item);
    *this = SharedList(arena, items, *this);
  }

 private:
  Node* root_ = nullptr;
  size_t size_ = 0;

  static int height_of(size_t size) {
    int height = 0;
    for (; size > kFan; size = (size + kFan - 1) / kFan) height++;
    return height;
  }
  int height() const { return height_of(size_); }
  T* find(size_t i) const {
    Node* node = root_;
    for (int h = height(); h > 0; h--)
      node = node->nodes()[i >> (kShift * static_cast<size_t>(h)) & (kFan - 1)];
    return node->items() + (i & (kFan - 1));
  }
  static Node* new_node(Arena& arena, size_t count, size_t item_size) {
    auto* node = static_cast<Node*>(arena.allocate(sizeof(Node) + count * item_size));
    node->mark = 0;
    node->count = static_cast<uint32_t>(count);
    return node;
  }
  static Node* make(Arena& arena, std::span<const T> items, int height, Node* like) {
    if (height == 0) {
      if (like && like->count == items.size() &&
          std::equal(items.begin(), items.end(), like->items()))
        return like;
      Node* leaf = new_node(arena, items.size(), sizeof(T));
      std::copy(items.begin(), items.end(), leaf->items());
      return leaf;
    }
    const size_t part = size_t{1} << (kShift * static_cast<size_t>(height));
    const size_t count = (items.size() + part - 1) / part;
    Node* nodes[kFan];
    bool same = like && like->count == count;
    for (size_t k = 0; k < count; k++) {
      Node* old = like && k < like->count ? like->nodes()[k] : nullptr;
      nodes[k] = make(arena, items.subspan(k * part, std::min(part, items.size() - k * part)),
                      height - 1, old);
      same &= nodes[k] == old;
    }
    if (same) return like;
    Node* node = new_node(arena, count, sizeof(Node*));
    std::copy(nodes, nodes + count, node->nodes());
    return node;
  }
  template <class Change>
  static Node* remake(Arena& arena, Node* like, int height, size_t first, std::vector<T>& items,
                      Change& change) {
    if (height == 0) {
      items.resize(like->count);
      return change(first, std::span<T>(items)) ? make(arena, items, 0, like) : like;
    }
    const size_t part = size_t{1} << (kShift * static_cast<size_t>(height));
    Node* nodes[kFan];
    bool same = true;
    for (size_t k = 0; k < like->count; k++) {
      nodes[k] = remake(arena, like->nodes()[k], height - 1, first + k * part, items, change);
      same &= nodes[k] == like->nodes()[k];
    }
    if (same) return like;
    Node* node = new_node(arena, like->count, sizeof(Node*));
    std::copy(nodes, nodes + like->count, node->nodes());
    return node;
  }
  template <class Visit>
  static void visit_new(Node* node, int height, uint32_t mark, Visit& visit) {
    if (node->mark == mark) return;
    node->mark = mark;
    for (uint32_t k = 0; k < node->count; k++) {
      if (height)
        visit_new(node->nodes()[k], height - 1, mark, visit);
      else
        visit(node->items()[k]);
    }
  }
};

}  // namespace psyco
