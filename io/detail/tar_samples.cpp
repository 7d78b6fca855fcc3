#include <millrace/io/detail/tar_samples.h>

#include <millrace/core/lower_case.h>
#include <millrace/io/image_walk.h>

#include <algorithm>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace millrace::detail {
namespace {

enum class Role : std::uint8_t { image, text, json, other };

/// Where a name's last part ends and its ending begins; npos where it has none.
std::size_t dot_of(std::string_view name) {
  const std::size_t begin = name.find_last_of('/') + 1;  // npos + 1 is 0
  const std::size_t dot = name.rfind('.');
  return dot == std::string_view::npos || dot <= begin ? std::string_view::npos : dot;
}

Role role_of(std::string_view name) {
  const std::size_t dot = dot_of(name);
  if (dot == std::string_view::npos) return Role::other;
  const std::string ending = lower_case(name.substr(dot));
  if (ending == ".cls") return Role::text;
  if (ending == ".json") return Role::json;
  // Of the last part alone, since a whole path may be long.
  return is_image_name("x" + ending) ? Role::image : Role::other;
}

/// As in folders: what begins with a dot, here also "..", which nobody packs for others to see.
bool is_hidden(std::string_view name) {
  while (!name.empty()) {
    const std::string_view part = name.substr(0, name.find('/'));
    if (part.starts_with('.') && part != ".") return true;
    name.remove_prefix(std::min(part.size() + 1, name.size()));
  }
  return false;
}

/// Members of one name up to the last dot.
struct Group {
  std::vector<std::size_t> images;  // places among the members
  const TarMember* text = nullptr;
  const TarMember* json = nullptr;
  bool is_unclear = false;  // a name or a label is there twice
};

class Pairing {
 public:
  Pairing(const RandomAccessFile& file, const std::string& shard, LeftOut& left_out)
      : file_(file), shard_(shard), left_out_(left_out) {}

  /// Whether the member may be part of a sample.
  bool is_part(const TarMember& member) {
    const std::string& name = member.name;
    if (member.kind == TarMember::link) return leave_out(LeftOutReason::link, name);
    if (member.kind == TarMember::other) return leave_out(LeftOutReason::special, name);
    if (is_hidden(name)) return leave_out(LeftOutReason::hidden, name);
    if (role_of(name) == Role::other) return leave_out(LeftOutReason::ending, name);
    if (member.kind == TarMember::sparse) {
      return leave_out(LeftOutReason::unreadable, name, "stored as a sparse file");
    }
    return true;
  }

  TarSamples pair(std::span<const TarMember> members) {
    for (std::size_t i = 0; i < members.size(); ++i) sort_in(members, i);
    TarSamples result;
    for (std::size_t i = 0; i < members.size(); ++i) {
      const Group& group = group_of(members[i]);
      if (role_of(members[i].name) == Role::image) {
        add(members[i], group, result);
      } else if (group.images.empty()) {
        const bool is_label = &members[i] == group.text || label_of(group).has_value();
        leave_out(is_label ? LeftOutReason::no_image : LeftOutReason::ending, members[i].name);
        result.has_labels = result.has_labels || is_label;
      }
    }
    return result;
  }

  bool leave_out(LeftOutReason reason, const std::string& name, const std::string& what = {}) {
    left_out_.add(reason, concat(shard_, ':', name), what);
    return false;
  }

 private:
  Group& group_of(const TarMember& member) {
    return groups_[std::string_view(member.name).substr(0, dot_of(member.name))];
  }

  void sort_in(std::span<const TarMember> members, std::size_t i) {
    Group& group = group_of(members[i]);
    const Role role = role_of(members[i].name);
    if (role == Role::image) {
      group.is_unclear = group.is_unclear ||
                         std::any_of(group.images.begin(), group.images.end(), [&](auto other) {
                           return members[other].name == members[i].name;
                         });
      group.images.push_back(i);
      return;
    }
    const TarMember*& label = role == Role::text ? group.text : group.json;
    group.is_unclear = group.is_unclear || label != nullptr;
    label = &members[i];
  }

  [[nodiscard]] std::string text_of(const TarMember& member) const {
    std::string text(static_cast<std::size_t>(member.length), '\0');
    file_.read_at(member.offset, std::as_writable_bytes(std::span(text)));
    return text;
  }

  [[nodiscard]] std::optional<TarLabel> label_of(const Group& group) const {
    constexpr std::uint64_t kMostText = 4 << 10, kMostJson = 1 << 20;
    const auto too_long = [](std::uint64_t most) {
      TarLabel label;
      label.problem = concat("longer than ", Bytes{most});
      return label;
    };
    if (group.text != nullptr) {
      return group.text->length > kMostText ? too_long(kMostText)
                                            : label_in_text(text_of(*group.text));
    }
    if (group.json == nullptr) return {};
    if (group.json->length > kMostJson) return too_long(kMostJson);
    return label_in_json(text_of(*group.json));
  }

  void add(const TarMember& image, const Group& group, TarSamples& result) {
    TarSample sample{image.name, image.offset, image.length, label_of(group)};
    result.has_labels = result.has_labels || sample.label;
    if (group.is_unclear || (sample.label && group.images.size() > 1)) {
      leave_out(LeftOutReason::twice, image.name);
    } else if (sample.label && !sample.label->is_class()) {
      const TarMember& label = group.text != nullptr ? *group.text : *group.json;
      leave_out(LeftOutReason::label, label.name, sample.label->problem);
    } else {
      result.samples.push_back(std::move(sample));
    }
  }

  const RandomAccessFile& file_;
  const std::string& shard_;
  LeftOut& left_out_;
  std::unordered_map<std::string_view, Group> groups_;  // by names of the members
};

}  // namespace

TarSamples samples_of(std::vector<TarMember> members, const RandomAccessFile& file,
                      bool needs_labels, const std::string& shard, LeftOut& left_out) {
  Pairing pairing(file, shard, left_out);
  std::erase_if(members, [&](const TarMember& member) { return !pairing.is_part(member); });
  if (needs_labels) return pairing.pair(members);
  TarSamples result;
  for (TarMember& member : members) {
    if (role_of(member.name) != Role::image) continue;
    result.samples.push_back({std::move(member.name), member.offset, member.length, {}});
  }
  return result;
}

std::vector<std::string> folders_of(const std::string& name) {
  std::vector<std::string> folders;
  std::string_view rest = name;
  for (std::size_t slash = rest.find('/'); slash != std::string_view::npos;
       slash = rest.find('/')) {
    const std::string_view part = rest.substr(0, slash);
    if (!part.empty() && part != ".") folders.emplace_back(part);
    rest.remove_prefix(slash + 1);
  }
  return folders;
}

}  // namespace millrace::detail
