from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = [("django_altoviz", "0001_initial")]
    operations = [
        migrations.CreateModel(
            name="Booking",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("amount", models.DecimalField(decimal_places=2, max_digits=20)),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=models.deletion.PROTECT, related_name="bookings", to="django_altoviz.invoice"
                    ),
                ),
            ],
        ),
    ]
