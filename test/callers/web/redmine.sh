# name: Redmine
# package: redmine
# to: alice@shop.example
# note: "lost password", by Puma; SQLite; the message is sent by a job, after the page has said that it was
. /standin/lib.sh
cat >/etc/redmine/default/configuration.yml <<'C'
default:
  email_delivery:
    delivery_method: :sendmail
C
cd /usr/share/redmine
export RAILS_ENV=production
/standin/sender www-data
setpriv --reuid www-data --regid www-data --init-groups bundle exec rails runner '
Setting.app_title = "Größe"
Setting.host_name = "shop.example"
Setting.mail_from = "Größe <redmine@shop.example>"
User.new(login: "alice", password: "Xy12-long-enough", firstname: "Alice", lastname: "Ärger", mail: "alice@shop.example", language: "de").save!'
private --reuid www-data --regid www-data --init-groups puma -b unix:///var/cache/redmine/default/tmp/puma.sock >/var/log/puma.log 2>&1 &
cd
page() { curl -sSf --unix-socket /var/cache/redmine/default/tmp/puma.sock -b cookies -c cookies "$@"; }
until page http://shop.example/account/lost_password >form 2>err; do
	[ -d /proc/$! ] || { cat err /var/log/puma.log; exit 1; }
	sleep 0.2
done
token=$(sed -n 's/.*name="authenticity_token" value="\([^"]*\)".*/\1/p' form | head -n 1)
page -L --data-urlencode "authenticity_token=$token" --data-urlencode mail=alice@shop.example http://shop.example/account/lost_password >answer
grep -q 'An email with instructions' answer || { cat answer /var/log/puma.log; exit 1; }
/standin/called 1
