#include "io/tls_session.h"

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "io/key_file.h"

namespace colo::io {
namespace {

constexpr std::string_view identity = "colo";
constexpr unsigned char cipher_id[] = {0x13, 0x01};  // TLS_AES_128_GCM_SHA256
constexpr const char* same_key_remedy = "give both hosts the same key file";
constexpr const char* same_tls_remedy = "set `tls` the same on both hosts";

// OpenSSL reports an alert of the peer as this offset plus the alert's number.
constexpr int alert_offset = SSL_AD_REASON_OFFSET;

}  // namespace

struct TlsSession::State {
  struct SslDeleter {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  std::unique_ptr<SSL, SslDeleter> ssl;  // none: plain
  Key secret{};
  ByteView input;  // what feed() was given and OpenSSL has not taken yet
  Bytes output;
  Bytes plaintext;
  std::array<std::byte, 4> first{};  // the first bytes of the peer: do they look like TLS?
  std::size_t first_count = 0;
  bool closed = false;
  std::optional<Error> broken;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { OPENSSL_cleanse(secret.data(), secret.size()); }

  [[nodiscard]] bool starts_like_tls() const {
    // Content type alert or handshake, then the major version 3.
    return first_count >= 2 && (first[0] == std::byte{0x15} || first[0] == std::byte{0x16}) &&
           first[1] == std::byte{3};
  }
  [[nodiscard]] bool starts_like_plain() const {
    return first_count == 4 && std::memcmp(first.data(), "COLO", 4) == 0;
  }
  Result<void> look_at_first(ByteView arrived);
  Result<void> broke(Error error) {
    broken = std::move(error);
    return fail(*broken);
  }
};

namespace {

// --- a BIO that reads from the session's input and appends to its output, without more copies --

struct Pipe {
  ByteView* input;
  Bytes* output;
};

int pipe_read(BIO* bio, char* space, std::size_t size, std::size_t* count) {
  auto* pipe = static_cast<Pipe*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (pipe->input->empty()) {
    BIO_set_retry_read(bio);
    return 0;
  }
  *count = std::min(size, pipe->input->size());
  std::memcpy(space, pipe->input->data(), *count);
  *pipe->input = pipe->input->subspan(*count);
  return 1;
}

int pipe_write(BIO* bio, const char* bytes, std::size_t size, std::size_t* count) {
  auto* pipe = static_cast<Pipe*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const auto* first = reinterpret_cast<const std::byte*>(bytes);
  pipe->output->insert(pipe->output->end(), first, first + size);
  *count = size;
  return 1;
}

long pipe_control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

int pipe_destroy(BIO* bio) {
  delete static_cast<Pipe*>(BIO_get_data(bio));
  BIO_set_data(bio, nullptr);
  return 1;
}

BIO_METHOD* pipe_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "colo pipe");
    COLO_CHECK(made != nullptr);
    BIO_meth_set_read_ex(made, pipe_read);
    BIO_meth_set_write_ex(made, pipe_write);
    BIO_meth_set_ctrl(made, pipe_control);
    BIO_meth_set_destroy(made, pipe_destroy);
    return made;
  }();
  return method;
}

// --- the pre-shared key -------------------------------------------------------------------------

SSL_SESSION* make_session(SSL* ssl) {
  const auto* secret = static_cast<const Key*>(SSL_get_app_data(ssl));
  const SSL_CIPHER* cipher = SSL_CIPHER_find(ssl, cipher_id);
  SSL_SESSION* session = SSL_SESSION_new();
  if (cipher == nullptr || session == nullptr ||
      SSL_SESSION_set1_master_key(session, reinterpret_cast<const unsigned char*>(secret->data()),
                                  secret->size()) != 1 ||
      SSL_SESSION_set_cipher(session, cipher) != 1 ||
      SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1) {
    SSL_SESSION_free(session);
    return nullptr;
  }
  return session;
}

int use_session(SSL* ssl, const EVP_MD*, const unsigned char** id, std::size_t* id_bytes,
                SSL_SESSION** session) {
  *session = make_session(ssl);
  *id = reinterpret_cast<const unsigned char*>(identity.data());
  *id_bytes = identity.size();
  return *session != nullptr ? 1 : 0;
}

int find_session(SSL* ssl, const unsigned char* id, std::size_t id_bytes, SSL_SESSION** session) {
  *session = nullptr;
  if (id_bytes != identity.size() || std::memcmp(id, identity.data(), id_bytes) != 0) return 1;
  *session = make_session(ssl);
  return *session != nullptr ? 1 : 0;
}

SSL_CTX* make_context(TlsSide side) {
  SSL_CTX* context =
      SSL_CTX_new(side == TlsSide::client ? TLS_client_method() : TLS_server_method());
  COLO_CHECK(context != nullptr);
  COLO_CHECK(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1);
  COLO_CHECK(SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") == 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  COLO_CHECK(SSL_CTX_set_num_tickets(context, 0) == 1);
  if (side == TlsSide::client) {
    SSL_CTX_set_psk_use_session_callback(context, use_session);
    // The server has no certificate: without the key there is nothing that it could pass with.
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  } else {
    SSL_CTX_set_psk_find_session_callback(context, find_session);
  }
  return context;
}

SSL_CTX* context_of(TlsSide side) {
  static SSL_CTX* const client = make_context(TlsSide::client);
  static SSL_CTX* const server = make_context(TlsSide::server);
  return side == TlsSide::client ? client : server;
}

// --- errors -------------------------------------------------------------------------------------

bool tells_of_wrong_key(int reason) {
  switch (reason) {
    case SSL_R_BINDER_DOES_NOT_VERIFY:
    case SSL_R_DIGEST_CHECK_FAILED:
    case alert_offset + SSL_AD_ILLEGAL_PARAMETER:  // what OpenSSL answers to a wrong binder
    case alert_offset + SSL_AD_DECRYPT_ERROR:      // what RFC 8446 asks for
    case alert_offset + SSL_AD_BAD_RECORD_MAC:
    case alert_offset + SSL_AD_HANDSHAKE_FAILURE:
    case alert_offset + SSL_AD_UNKNOWN_PSK_IDENTITY:
      return true;
    default:
      return false;
  }
}

Error last_error(bool established) {
  const unsigned long code = ERR_peek_last_error();
  const char* text = ERR_reason_error_string(code);
  const std::string cause = text != nullptr ? text : "no reason given";
  const int reason = ERR_GET_REASON(code);
  ERR_clear_error();
  if (!established && tells_of_wrong_key(reason)) {
    return {"wrong-key", "the peer's key is not ours (" + cause + ")", same_key_remedy};
  }
  if (established) {
    return {"tls-failed", "bytes of the peer were altered or are no TLS: " + cause};
  }
  return {"tls-failed", "the TLS handshake failed: " + cause,
          "is the peer a colo engine of this guest, and is `tls` the same on both hosts?"};
}

}  // namespace

Result<void> TlsSession::State::look_at_first(ByteView arrived) {
  if (first_count == first.size()) return {};
  const std::size_t count = std::min(first.size() - first_count, arrived.size());
  std::copy_n(arrived.begin(), count, first.begin() + static_cast<std::ptrdiff_t>(first_count));
  first_count += count;
  if (!ssl && starts_like_tls()) {
    return broke({"tls-differs", "the peer speaks TLS, this host does not", same_tls_remedy});
  }
  if (ssl && starts_like_plain()) {
    // A fatal alert, protocol_version: it tells the peer that somebody here speaks TLS.
    for (const int byte : {0x15, 3, 3, 0, 2, 2, 70}) output.push_back(static_cast<std::byte>(byte));
    return broke({"tls-differs", "this host speaks TLS, the peer does not", same_tls_remedy});
  }
  return {};
}

TlsSession::TlsSession(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsSession::TlsSession(TlsSession&&) noexcept = default;
TlsSession& TlsSession::operator=(TlsSession&&) noexcept = default;
TlsSession::~TlsSession() = default;

TlsSession TlsSession::plain() { return TlsSession(std::make_unique<State>()); }

Result<TlsSession> TlsSession::start(TlsSide side, const Key& key) {
  auto state = std::make_unique<State>();
  state->secret = derive_key(key, "colo lanes: TLS pre-shared key");
  state->ssl.reset(SSL_new(context_of(side)));
  BIO* bio = BIO_new(pipe_method());
  if (!state->ssl || bio == nullptr) {
    BIO_free(bio);
    return fail("tls-failed", "OpenSSL is out of memory");
  }
  BIO_set_data(bio, new Pipe{&state->input, &state->output});
  BIO_set_init(bio, 1);
  SSL_set_bio(state->ssl.get(), bio, bio);
  SSL_set_app_data(state->ssl.get(), &state->secret);
  if (side == TlsSide::client) {
    SSL_set_connect_state(state->ssl.get());
  } else {
    SSL_set_accept_state(state->ssl.get());
  }
  TlsSession session(std::move(state));
  // The client speaks first: its first message is in output() from the start.
  if (auto begun = session.feed({}); !begun) return fail(begun.error());
  return session;
}

Result<void> TlsSession::feed(ByteView arrived) {
  State& state = *state_;
  if (state.broken) return fail(*state.broken);
  if (auto looked = state.look_at_first(arrived); !looked) return looked;
  if (!state.ssl) {
    state.plaintext.insert(state.plaintext.end(), arrived.begin(), arrived.end());
    return {};
  }
  if (state.closed && !arrived.empty()) {
    return state.broke({"tls-closed", "bytes behind the end of the peer's stream"});
  }
  SSL* const ssl = state.ssl.get();
  state.input = arrived;
  ERR_clear_error();
  if (!established()) {
    const int done = SSL_do_handshake(ssl);
    if (done != 1) {
      if (SSL_get_error(ssl, done) == SSL_ERROR_WANT_READ) return {};
      return state.broke(last_error(false));
    }
  }
  std::array<std::byte, SSL3_RT_MAX_PLAIN_LENGTH> record;  // one record: fits the first cache
  for (;;) {
    std::size_t count = 0;
    const int done = SSL_read_ex(ssl, record.data(), record.size(), &count);
    if (done == 1) {
      state.plaintext.insert(state.plaintext.end(), record.begin(),
                             record.begin() + static_cast<std::ptrdiff_t>(count));
      continue;
    }
    const int cause = SSL_get_error(ssl, done);
    if (cause == SSL_ERROR_WANT_READ) return {};
    if (cause != SSL_ERROR_ZERO_RETURN) return state.broke(last_error(true));
    state.closed = true;
    if (state.input.empty()) return {};
    return state.broke({"tls-closed", "bytes behind the end of the peer's stream"});
  }
}

Result<void> TlsSession::write(ByteView plaintext) {
  COLO_CHECK(established());
  State& state = *state_;
  if (!state.ssl) {
    state.output.insert(state.output.end(), plaintext.begin(), plaintext.end());
    return {};
  }
  if (plaintext.empty()) return {};
  std::size_t count = 0;
  ERR_clear_error();
  if (SSL_write_ex(state.ssl.get(), plaintext.data(), plaintext.size(), &count) != 1) {
    return state.broke(last_error(true));
  }
  COLO_CHECK(count == plaintext.size());
  return {};
}

void TlsSession::finish() {
  if (state_->ssl && established() && !state_->broken) SSL_shutdown(state_->ssl.get());
}

bool TlsSession::established() const {
  return !state_->ssl || SSL_is_init_finished(state_->ssl.get()) == 1;
}

bool TlsSession::closed() const { return state_->closed; }
bool TlsSession::is_plain() const { return !state_->ssl; }
ByteView TlsSession::plaintext() const { return state_->plaintext; }
void TlsSession::drop_plaintext() { state_->plaintext.clear(); }
ByteView TlsSession::output() const { return state_->output; }

void TlsSession::take_output(Bytes& buffer) {
  buffer.clear();
  buffer.swap(state_->output);
}

}  // namespace colo::io
