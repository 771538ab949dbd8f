# name: reportbug, `submit.send_report`
# package: reportbug
# as: alice
# background: yes
# to: submit@bugs.debian.org
python3 - >/dev/null 2>err <<'E' || { cat err; exit 1; }
import sys
sys.path.insert(0, '/usr/share/reportbug')
from reportbug import submit
submit.send_report('Package: x\nVersion: 1\n\ntext\n', [], None, 'Alice <alice@web1.example>', 'submit@bugs.debian.org', '', '', [('Subject', 'x: a bug')], mta='/usr/sbin/sendmail', smtphost="", envelopefrom='alice@web1.example')
E
/standin/called 1
