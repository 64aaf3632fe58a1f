// The secondary's side of the engine: what is to outlive this engine, and what an earlier one left.

#include <spdlog/spdlog.h>
#include <xxhash.h>

#include <boost/asio/post.hpp>
#include <cstring>

#include "app/engine_secondary.h"

namespace colo::app {

namespace {

std::uint64_t identity_of(const wire::Agreement& agreement) {
  std::string text;
  for (const std::string* part : {&agreement.guest_name, &agreement.machine,
                                  &agreement.guest_version, &agreement.accelerator}) {
    text += *part + '\n';
  }
  text += std::to_string(agreement.config_hash);
  return XXH3_64bits(text.data(), text.size());
}

// Which checkpoint it is, of all that there ever were.
std::string mark_of(const cache::Origin& origin, Epoch epoch) {
  const auto token = wire::hash128(origin.token);
  std::uint64_t name = 0;
  std::memcpy(&name, token.data(), sizeof name);
  return origin.primary_run + ' ' + std::to_string(name) + ' ' +
         std::to_string(origin.generation.value) + ' ' + std::to_string(epoch.value);
}

void not_kept(const Error& error) {
  spdlog::warn("what this secondary receives will not outlive this engine: {}", error.text());
}

}  // namespace

struct SecondarySide::Earlier {
  std::uint64_t memory = 0;  // the file of the standby's memory; 0: none
  std::shared_ptr<cache::Cache> cache;
};

cache::CacheLimits SecondarySide::cache_limits() const {
  return {host_.config.limits.staged_bytes / page_bytes};
}

// Before the first standby guest, whose memory it is. Setting memory aside takes a while.
void SecondarySide::look_for_earlier() {
  host_.guest_worker.post([weak = weak_from_this(), &host = host_, limits = cache_limits()] {
    Earlier earlier;
    if (host.checkpoint_files) {
      const auto memory = host.maker->use_memory_file(host.checkpoint_files->memory_file());
      if (memory) {
        earlier.memory = *memory;
        auto cache = host.checkpoint_files->open_store().and_then(
            [&](auto arena) { return cache::Cache::reopen(std::move(arena), limits); });
        if (cache && (*cache)->origin().memory == *memory) {
          earlier.cache = std::move(*cache);
        } else if (!cache && cache.error().word != "nothing-kept") {
          spdlog::warn("{}", cache.error().text());
        }
      } else {
        not_kept(memory.error());
      }
    }
    boost::asio::post(host.loop, [weak, earlier = std::move(earlier)] {
      if (const auto self = weak.lock()) self->begin(earlier);
    });
  });
}

void SecondarySide::begin(const Earlier& earlier) {
  if (std::holds_alternative<secondary::Ended>(core_.state())) return;  // asked to stop meanwhile
  begun_ = true;
  memory_file_ = earlier.memory;
  if (earlier.cache) {
    const cache::Origin origin = earlier.cache->origin();
    // Its run owns the guest as of its generation: nobody has spoken beyond the checkpoint, unless
    // it was run as a replica.
    const bool ran = host_.checkpoint_files->has_run(mark_of(origin, earlier.cache->committed()));
    const bool takeable = origin.generation == current_ && origin.primary_run == peer_run_ && !ran;
    cache_ = earlier.cache;
    kept_unproven_ = true;
    held_run_ = origin.primary_run;
    held_lineage_ = origin.token;
    held_in_ = origin.generation;
    committed_flows_ = origin.flows;
    core_ = secondary::Core(core_config(host_.config),
                            secondary::Kept{origin.generation, cache_->committed(), takeable});
    spdlog::info("an earlier engine kept checkpoint {} of generation {}: {}",
                 cache_->committed().value, origin.generation.value,
                 takeable ? "it can be taken over" : "it saves copying what has not changed");
  }
  feed(secondary::Tick{});
}

// Which guest it is of is known with the first standby.
bool SecondarySide::kept_fits() {
  const guest::Identity& identity = standby_->identity();
  identity_ = identity_of(host_.agreement(identity));
  if (!std::exchange(kept_unproven_, false) || !cache_) return true;
  if (cache_->layout() == identity.layout && cache_->origin().identity == identity_) return true;
  spdlog::warn("the kept checkpoint is of another guest, QEMU or configuration: it is dropped");
  execute(secondary::Forget{});
  core_ = secondary::Core(core_config(host_.config));
  return false;
}

std::unique_ptr<cache::Store> SecondarySide::make_store(const MemoryLayout& layout) {
  if (memory_file_ == 0) return nullptr;
  auto store =
      host_.checkpoint_files
          ->create_store(cache::Store::arena_bytes(layout, cache_limits().staged_pages))
          .and_then([&](auto arena) { return cache::Store::create(std::move(arena), layout); });
  store_trouble_told_ = false;
  if (store) return std::move(*store);
  not_kept(store.error());
  return nullptr;
}

// Of the checkpoints of this session.
void SecondarySide::set_origin() {
  cache_->set_origin({session_->generation, held_lineage_, held_run_, memory_file_, identity_,
                      committed_flows_.value_or(Bytes())});
}

void SecondarySide::note_store_trouble() {
  const auto trouble = cache_->store_trouble();
  if (trouble && !std::exchange(store_trouble_told_, true)) not_kept(*trouble);
}

// Before the first instruction of the replica: what it says may leave the primary's host, and is in
// no other guest's past. An engine that is started again has only a base then.
void SecondarySide::strike_out_for_takeover() {
  if (!host_.checkpoint_files || !cache_) return;
  const auto marked = host_.checkpoint_files->mark_run(mark_of(cache_->origin(), replica_->epoch));
  if (marked) return;
  not_kept(marked.error());
  cache_->strike_out();
}

void SecondarySide::remove_kept() {
  if (cache_) cache_->strike_out();
  if (host_.checkpoint_files) host_.checkpoint_files->remove();
}

}  // namespace colo::app
